// Lines to paste get a button that copies them.
if (navigator.clipboard) {
  for (const code of document.querySelectorAll("[data-snippet]")) {
    const button = document.createElement("button");
    button.className = "plain copy";
    button.textContent = "copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 2000);
    });
    code.closest(".snippet").querySelector("h3").append(" ", button);
  }
}
