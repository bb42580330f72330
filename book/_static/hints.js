// Escape closes the definition that the pointer or the keyboard has opened; leaving lets it open again.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const hint of document.querySelectorAll(".hint:hover, .hint:focus-within")) {
    hint.classList.add("hint-closed");
    for (const left of ["mouseleave", "focusout"])
      hint.addEventListener(left, () => hint.classList.remove("hint-closed"), { once: true });
  }
});

// On a narrow screen a wide figure keeps its size and scrolls, by finger and by keyboard, so that
// what is written in it can be read.
const narrow = matchMedia("(max-width: 600px)");
const fitted = (image) => {
  const figure = image.closest("figure");
  const wide = narrow.matches && image.naturalWidth * 0.9 > figure.clientWidth;
  image.style.minWidth = wide ? `${Math.round(image.naturalWidth * 0.9)}px` : "";
  figure.classList.toggle("wide", wide);
  if (wide) figure.tabIndex = 0;
  else figure.removeAttribute("tabindex");
};
document.addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".symphony-figure > img")) {
    const fit = () => fitted(image);
    if (image.complete) fit();
    image.addEventListener("load", fit);
    narrow.addEventListener("change", fit);
  }
});
