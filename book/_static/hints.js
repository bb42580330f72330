// Escape closes the definition that the pointer or the keyboard has opened; leaving lets it open again.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const hint of document.querySelectorAll(".hint:hover, .hint:focus-within")) {
    hint.classList.add("hint-closed");
    for (const left of ["mouseleave", "focusout"])
      hint.addEventListener(left, () => hint.classList.remove("hint-closed"), { once: true });
  }
});

// On a narrow screen a wide figure keeps its size, so that what is written in it can be read.
const fit = (image) => {
  const figure = image.closest("figure"), natural = image.naturalWidth;
  const wide = innerWidth <= 600 && natural > 1.2 * figure.clientWidth;
  image.style.width = wide ? `${Math.round(0.9 * natural)}px` : "";
  figure.classList.toggle("wide", wide);
};
// What is wider than the page scrolls by finger, and by keyboard as well.
const fitAll = () => {
  document.querySelectorAll(".symphony-figure > img").forEach(fit);
  for (const part of document.querySelectorAll("article :is(table, div.math, figure.symphony-figure)")) {
    if (part.scrollWidth > part.clientWidth + 2) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
};
addEventListener("load", fitAll);
addEventListener("resize", fitAll);
addEventListener("toggle", fitAll, true); // a folded cell has no width before it opens
