// The curve of surprise in step with the playing clip: a line runs along, and a click on the curve, or on a moment that
// the text names, goes there. Without this script the clip plays alone, and such a link opens it at that moment.

const section = document.querySelector("[data-clip]");
const [video, expected] = section?.querySelectorAll("video") ?? [];
const svg = section?.querySelector(".chart svg");
const [LEFT, WIDTH, WHOLE, HEIGHT] = [46, 640, 700, 220]; // as foretell.app.chart draws

if (svg) {
  const end = Number(section.dataset.end);
  const cursor = document.createElementNS(svg.namespaceURI, "path");
  cursor.setAttribute("class", "cursor");
  svg.append(cursor);

  function follow() {
    const x = LEFT + WIDTH * Math.min(video.currentTime / end, 1);
    cursor.setAttribute("d", `M${x.toFixed(1)} 0V${HEIGHT}`);
    if (!video.paused) requestAnimationFrame(follow);
  }

  function seek(seconds) {
    video.currentTime = Math.min(Math.max(seconds, 0), end);
  }

  for (const type of ["play", "seeked", "loadeddata"]) video.addEventListener(type, follow);
  if (expected) {
    video.addEventListener("seeked", () => (expected.currentTime = video.currentTime));
    video.addEventListener("play", () => {
      expected.currentTime = video.currentTime;
      expected.play();
    });
    video.addEventListener("pause", () => expected.pause());
  }
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    seek((end * (((event.clientX - box.left) / box.width) * WHOLE - LEFT)) / WIDTH);
  });
  for (const link of section.querySelectorAll("[data-seek]"))
    link.addEventListener("click", (event) => {
      event.preventDefault();
      seek(Number(link.dataset.seek));
    });
  follow();
}
