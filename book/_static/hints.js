// Escape closes the definition that the pointer or the keyboard has opened; leaving lets it open again.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const hint of document.querySelectorAll(".hint:hover, .hint:focus-within")) {
    hint.classList.add("hint-closed");
    for (const left of ["mouseleave", "focusout"])
      hint.addEventListener(left, () => hint.classList.remove("hint-closed"), { once: true });
  }
});
