// A form with `data-upload` tells its progress: first that of sending the file, then that of reading and embedding it.
// Without this script the form still works, and its answer is a page.

const LINES = "application/x-ndjson";

for (const form of document.querySelectorAll("form[data-upload]")) {
  const bar = form.querySelector("progress");
  const said = form.querySelector("[role=status]");
  const button = form.querySelector("button");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    request.open("POST", form.action);
    request.setRequestHeader("Accept", LINES);
    bar.hidden = false;
    bar.value = 0;
    button.disabled = true;
    said.textContent = "The file is sent …";
    request.upload.addEventListener("progress", (part) => {
      if (part.lengthComputable) bar.value = 0.3 * (part.loaded / part.total);
    });
    request.addEventListener("progress", () => {
      const last = parsed(request.responseText).findLast((line) => "fraction" in line);
      if (!last) return;
      bar.value = 0.3 + 0.7 * last.fraction;
      said.textContent = "It is read and embedded …";
    });
    request.addEventListener("load", () => done(parsed(request.responseText).at(-1)));
    request.addEventListener("error", () => done({ error: "the service cannot be reached" }));
    request.send(new FormData(form));
  });

  function done(line) {
    button.disabled = false;
    const skipped = line?.added?.skipped.map(([, reason]) => reason).join("; ");
    const problem = line?.error ?? line?.detail ?? skipped;
    if (problem || !line?.added) {
      bar.hidden = true;
      const sentence = problem || "the answer was cut short";
      said.textContent = `${sentence[0].toUpperCase()}${sentence.slice(1)}.`;
      return;
    }
    bar.value = 1;
    const here = new URL(location.href);
    here.search = line.added.unchanged ? "?done=same" : "?done=added";
    here.hash = "files";
    history.replaceState(null, "", here);
    location.reload();
  }
}

function parsed(text) {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return []; // the rest of this line has not arrived
    }
  });
}
