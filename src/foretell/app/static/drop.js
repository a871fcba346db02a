// A form with `data-drop` takes files that are dropped anywhere on the page. It is sent at once where nothing else is
// required of it.
const form = document.querySelector("[data-drop]");
if (form) {
  const input = form.querySelector("input[type=file]");
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    if (form.checkValidity()) form.requestSubmit();
    else form.querySelector(":invalid").focus();
  });
}
