// Beside a slider stands its value.
document.addEventListener("input", ({ target }) => {
  if (target.type !== "range") return;
  const value = Number(target.value);
  document.querySelector(`output[for="${target.id}"]`).textContent = target.step === "1" ? value : value.toPrecision(3);
});
