// A run that trains: its curves are read again every few seconds, until it ends.
const section = document.querySelector("[data-live]");

async function again() {
  if (!document.hidden) {
    try {
      const response = await fetch(section.dataset.live, { headers: { Accept: "text/html" } });
      if (response.ok) {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        section.replaceChildren(...page.body.childNodes);
        if (!section.querySelector("#state").textContent.trim().startsWith("running")) return;
      }
    } catch {} // the service is away for a moment
  }
  setTimeout(again, 4000);
}
setTimeout(again, 4000);
