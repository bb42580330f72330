// A scale of the player's own: a weight for each pitch class, kept in this browser and in the address.

import { element } from "./play.js";

const STORE = "symphony-scales", MOST = 40, LONGEST = 30; // scales that are kept, letters of a name
const TONES = ["C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const READY = {
  "Pentatonic": "909090090900",
  "Blues": "900907990090",
  "Whole tones": "909090909090",
  "Octatonic": "909909909909",
  "One tone": "900000000000",
};

// Names and scales from what a browser kept; whatever isn't a name with twelve digits is left out.
export function readScales(text) {
  try {
    const found = Object.entries(JSON.parse(text) ?? {});
    return Object.fromEntries(found.filter(([name, scale]) =>
      name && name.length <= LONGEST && typeof scale === "string" && /^\d{12}$/.test(scale)).slice(0, MOST));
  } catch {
    return {};
  }
}

// Sliders, names, and what they do: `set` changes the state of the pad, `show` follows it.
export function scaleBoard(set) {
  let saved = {};
  try {
    saved = readScales(localStorage.getItem(STORE));
  } catch { /* a browser may keep nothing */ }
  const said = element("span", { role: "status" });
  const drawn = () => sliders.map((slider) => slider.value).join("");
  const sliders = TONES.map(() => element("input", { type: "range", min: 0, max: 9, step: 1,
    oninput: () => set({ key: "own", scale: drawn() }) }));
  const choice = element("select", { onchange: () => set({ key: "own", scale: scaleOf(choice.value) }) });
  const name = element("input", { type: "text", maxlength: LONGEST, onkeydown: (e) => { if (e.key === "Enter") save(); } });
  const remove = element("button", { type: "button", onclick: () => {
    keep("Removed.", () => delete saved[choice.value]);
    choice.focus();
  } }, "Remove");

  const scaleOf = (named) => (Object.hasOwn(saved, named) ? saved[named] : READY[named]);

  function options(chosen) {
    const names = [...new Set([...Object.keys(saved), ...Object.keys(READY)])];
    choice.replaceChildren(element("option", { value: "", disabled: "" }, "choose one"),
      ...names.map((each) => element("option", { value: each }, each)));
    choice.value = chosen;
    remove.disabled = !Object.hasOwn(saved, chosen);
  }

  function keep(words, change) {
    change();
    try {
      localStorage.setItem(STORE, JSON.stringify(saved));
      said.textContent = words;
    } catch {
      said.textContent = "This browser keeps nothing for this page. The address does.";
    }
    show(current, true);
  }

  function save() {
    const wanted = name.value.trim();
    if (!wanted) return void (said.textContent = "Give it a name first.");
    if (Object.keys(saved).length >= MOST && !Object.hasOwn(saved, wanted)) return void (said.textContent = "There are enough: remove one first.");
    keep("Saved.", () => (saved = { ...saved, [wanted]: drawn() }));
    set({ key: "own", scale: saved[wanted] });
  }

  let current = "";
  function show(scale, again = false) {
    if (scale === current && !again) return;
    current = scale;
    sliders.forEach((slider, i) => (slider.value = scale[i]));
    const names = [...Object.keys(saved), ...Object.keys(READY)];
    options(names.find((each) => scaleOf(each) === scale) ?? "");
  }

  const panel = element("details", { class: "play-scale" }, element("summary", {}, "Your own scale"),
    element("div", { class: "play-row" }, element("label", {}, "Begin from", choice), remove),
    element("div", { class: "play-tones", role: "group", "aria-label": "How often each tone should sound" },
      ...TONES.map((tone, i) => element("label", {}, tone, sliders[i]))),
    element("div", { class: "play-row" }, element("label", {}, "Name", name),
      element("button", { type: "button", onclick: save }, "Save"), said));
  return { panel, show };
}
