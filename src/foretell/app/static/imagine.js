// The sliders: while one moves, the page asks for the answer to the newest values, one question at a time.
// Without this script the form is sent by its button, and the answer is a page.

const form = document.getElementById("ask");
const parts = Object.fromEntries(
  [
    ...["given", "asked", "imagined", "decoded", "nearest"],
    ...["sentence", "rank", "of", "chance", "distance", "nearest_distance"],
  ].map((id) => [id, document.getElementById(id)]),
);
let asking = false;
let waiting = null; // when the newest change was made that no question has asked for yet

function query() {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    const input = form.elements[name];
    if (input.dataset?.identity !== undefined && Number(value) === Number(input.dataset.identity)) continue;
    fields.append(name, value);
  }
  return fields.toString();
}

async function ask() {
  if (asking || waiting === null) return;
  asking = true;
  const since = waiting;
  waiting = null;
  try {
    const asked = query();
    const response = await fetch(`${form.dataset.answer}?${asked}`, { headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (response.ok) {
      await show(answer);
      history.replaceState(null, "", `?${asked}`);
      document.documentElement.dataset.milliseconds = Math.round(performance.now() - since);
    } else parts.sentence.textContent = `${answer.detail}.`;
  } catch {
    parts.sentence.textContent = "The service cannot be reached.";
  }
  asking = false;
  ask();
}

async function show(answer) {
  const names = ["given", "asked", "imagined", "decoded"].filter((name) => parts[name]);
  const pictures = await Promise.all(names.map((name) => loaded(answer[name])));
  for (const [place, name] of names.entries()) parts[name].src = pictures[place];
  parts.imagined.classList.toggle("right", answer.right);
  for (const name of ["sentence", "rank", "of", "chance", "distance", "nearest_distance"])
    parts[name].textContent = answer[name];
  for (const [place, image] of [...parts.nearest.children].entries()) {
    image.src = answer.nearest[place].picture;
    image.classList.toggle("right", answer.nearest[place].right);
  }
}

async function loaded(source) {
  const image = new Image();
  image.src = source;
  await image.decode(); // the pictures change together, and none flickers
  return source;
}

form.addEventListener("input", () => {
  waiting ??= performance.now();
  ask();
});
