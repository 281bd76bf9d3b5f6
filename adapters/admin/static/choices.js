/*
 * Keys for the choices page: each presses the button that names it. The page works without them.
 */

addEventListener("keydown", (event) => {
  const { key, repeat, isComposing, ctrlKey, metaKey, altKey, target } = event;
  if (repeat || isComposing || ctrlKey || metaKey || altKey) return;
  if (target.closest?.("input, textarea, select")) return;
  const buttons = [...document.querySelectorAll("button[data-key]")];
  const button = buttons.find((each) => each.dataset.key === key.toLowerCase());
  if (!button) return;
  event.preventDefault();
  button.click();
});

/* Two presses in a row must not judge the next pair unseen. */
addEventListener("submit", () => {
  setTimeout(() => {
    for (const button of document.querySelectorAll("button[data-key]")) button.disabled = true;
  });
});

addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[data-key]")) button.disabled = false;
});
