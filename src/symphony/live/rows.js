// DCRNN in a browser, row by row, and a pad between four of its noises: chapter 6's generator and
// chapter 12's improviser.

import { Improviser, addProduct, element, keepInAddress, lstmCell, uniform } from "./play.js";
import { bounded, stage, sum, unpackHalves } from "./stage.js";

const LETTERS = ["A", "B", "C", "D"]; // above left and right, below left and right
const GRID = 8; // a noise is new, and with it the plan, only where the hand has moved this share of the pad

// ---- The network -------------------------------------------------------------------------------

// In double precision: a plan's rounding is carried through all that is played of the piece.
function lstm({ input, hidden, bias }, x, { h, c }) {
  const gates = Float64Array.from(bias);
  addProduct(input, x, gates);
  addProduct(hidden, h, gates);
  return lstmCell(gates, c);
}

export class RowModel {
  constructor(packed) {
    this.header = packed.header;
    const tensors = unpackHalves(packed), cells = (name) => ({
      input: tensors[`${name}.weight_ih_l0`], hidden: tensors[`${name}.weight_hh_l0`],
      bias: sum(tensors[`${name}.bias_ih_l0`], tensors[`${name}.bias_hh_l0`]),
    });
    this.a = cells("rnn_a");
    this.b = cells("rnn_b");
    this.fc = [tensors["fc.weight"], tensors["fc.bias"].values];
    this.strip = [tensors["strip.weight"].values, tensors["strip.bias"].values[0]];
    this.corners = LETTERS.map((_, i) => this.drawn(i));
    this.bos = null; // a roll has no first symbol
  }

  // A noise from U(-1, 1), the same for the same seed.
  drawn(seed) {
    return Float32Array.from({ length: this.header.noise }, (_, i) => 2 * uniform(seed, i) - 1);
  }

  initial() {
    const rest = ({ hidden }) => ({ h: new Float64Array(hidden.cols), c: new Float64Array(hidden.cols) });
    return { at: 0, plan: [], a: rest(this.a), b: rest(this.b) };
  }

  // The noise between the four corners, and the key's histogram where the network reads one.
  condition({ x = 0.5, y = 0.5, key = "C major" }) {
    const { noise, keys } = this.header, histogram = keys[key] ?? Object.values(keys)[0] ?? [];
    const out = new Float32Array(noise + histogram.length);
    const shares = [(1 - x) * y, x * y, (1 - x) * (1 - y), x * (1 - y)];
    shares.forEach((share, k) => this.corners[k].forEach((v, i) => { out[i] += share * v; }));
    out.set(histogram, noise);
    return out;
  }

  // One row onwards: RNNa reads the condition while a plan is first played, and RNNb plays the plan.
  step(condition, { at, plan, a, b }) {
    const { phrase, repeat } = this.header;
    if (at === phrase * repeat) at = 0;
    if (!at) plan = [];
    if (at < phrase) {
      a = lstm(this.a, condition, a);
      plan = [...plan, a.h];
    }
    b = lstm(this.b, plan[at % phrase], b);
    return [this.sound(b.h), { at: at + 1, plan, a, b }];
  }

  // 128 keys from -1 (silent) to 1 (sounding): a strip an octave.
  sound(played) {
    const { lowest, octaves, channels, binary } = this.header, row = new Float32Array(128).fill(-1);
    const [kernel, bias] = this.strip, strips = this.fc[1].slice();
    addProduct(this.fc[0], played, strips);
    for (let octave = 0; octave < octaves; octave++) for (let k = 0; k < 12; k++) {
      let x = bias;
      for (let c = 0; c < channels; c++) x += strips[octave * channels + c] * kernel[12 * c + k];
      row[lowest + 12 * octave + k] = binary ? (x > 0 ? 1 : -1) : Math.tanh(x);
    }
    return row;
  }
}

// ---- Composing ahead ---------------------------------------------------------------------------

const same = (a, b) => a.every((v, i) => v === b[i]);

// Branch and swap over rows: a changed condition begins a new plan, as in the system's `LedRows`.
export class RowImproviser extends Improviser {
  constructor(model, score, options) {
    super(model, score, options);
    this.tempo = model.header.tempo;
  }

  compose(state, condition) {
    const begun = performance.now(), { network } = state, { velocity, rows } = this.model.header;
    const anew = state.condition && !same(state.condition, condition);
    const [row, after] = this.model.step(condition, anew ? { ...network, at: 0 } : network);
    const down = new Set(), notes = [];
    row.forEach((v, pitch) => { if (v > 0) down.add(pitch); });
    for (const pitch of state.down) if (!down.has(pitch)) notes.push([pitch, 0]);
    for (const pitch of down) if (!state.down.has(pitch)) notes.push([pitch, velocity]);
    const spent = performance.now() - begun;
    this.report.steps++;
    this.report.spent += spent;
    this.report.slowest = Math.max(this.report.slowest, spent);
    return { notes, seconds: 60 / this.tempo / rows, after: { drawn: state.drawn + 1, condition, network: after, down } };
  }

  // A row lasts as long as any other, so none is cut: the branch begins at the first far enough ahead.
  branchOff(now) {
    const begins = this.line.steps.find((s) => s.due >= now + this.lead);
    if (!begins) return;
    const { due, before } = begins;
    this.branch = { begins, steps: [], condition: this.under, control: this.control, state: before, leaves: due, end: due };
  }
}

// ---- The pads ----------------------------------------------------------------------------------

const PADS = { x: 0.5, y: 0.5, tempo: 100, seeds: "0.1.2.3" };

// State from an address: `pad-x`, `pad-y`, `pad-key`, `pad-tempo`, `pad-seeds`; nothing in it is trusted.
export function readPads(hash, keys) {
  const given = new URLSearchParams(hash.replace(/^#/, "")), found = { ...PADS, key: keys.includes("A minor") ? "A minor" : keys[0] ?? "" };
  for (const [name, low, high] of [["x", 0, 1], ["y", 0, 1], ["tempo", 40, 200]]) {
    const value = parseFloat(given.get(`pad-${name}`));
    if (Number.isFinite(value)) found[name] = bounded(value, low, high);
  }
  if (keys.includes(given.get("pad-key"))) found.key = given.get("pad-key");
  if (/^\d{1,6}(\.\d{1,6}){3}$/.test(given.get("pad-seeds"))) found.seeds = given.get("pad-seeds");
  return found;
}

// Four noises in the corners of a pad, and the music between them. `load` gives the packed model.
export function mountPads(root, { keys, load, recorded }) {
  const state = readPads(location.hash, keys), seeds = state.seeds.split(".").map(Number);
  let model = null, improviser = null;
  const meter = element("p", { class: "play-meter" });
  const loaded = async () => {
    model = new RowModel(await load());
    seeds.forEach((seed, i) => { model.corners[i] = model.drawn(seed); });
    return model;
  };
  const begin = (_, { piano, now, at, light }) => {
    improviser = new RowImproviser(model, (step) => piano.play(step.notes, at(step.due)));
    improviser.tempo = state.tempo;
    improviser.under = model.condition(rounded());
    improviser.played = (step) => heard(step, light);
    return {
      improviser, model, state,
      work: () => improviser.work(now(), now),
      stop() {
        improviser.pass(now());
        for (const step of [...improviser.line.steps].reverse()) step.cancel?.();
        improviser = null;
      },
    };
  };
  const { button, status, drawing, gain, now } = stage(root, { load: loaded, begin, recorded, words: "Playing. Drag between the corners." });

  function heard({ notes, before, condition }, light) {
    for (const [pitch, velocity] of notes) light(pitch, velocity > 0);
    const { phrase, repeat } = model.header, anew = before.condition && !same(before.condition, condition);
    const at = anew || before.network.at === phrase * repeat ? 0 : before.network.at, { answers } = improviser.report;
    meter.textContent = `Row ${at % phrase + 1} of ${phrase} of the plan, time ${Math.floor(at / phrase) + 1} of ${repeat}.`
      + (answers.length ? ` Your last move was heard after ${Math.round(1000 * answers[answers.length - 1])} ms.` : "");
  }

  const rounded = () => ({ key: state.key, x: Math.round(state.x * GRID) / GRID, y: Math.round(state.y * GRID) / GRID });
  const dot = element("i", { "aria-hidden": "true" });
  const pad = element("div", { class: "play-pad", tabindex: "0", role: "group",
    "aria-label": "Pad between four noises: drag, or use the arrow keys. A and B are above, C and D below." },
  ...LETTERS.map((letter) => element("b", { class: `corner-${letter.toLowerCase()}`, "aria-hidden": "true" }, letter)), dot);

  function set(change) {
    Object.assign(state, change);
    dot.style.left = `${100 * state.x}%`;
    dot.style.top = `${100 * (1 - state.y)}%`;
    tempo.value = state.tempo;
    choice.value = state.key;
    if (improviser) {
      improviser.tempo = state.tempo;
      improviser.lead_by(rounded(), now());
    }
    clearTimeout(set.wait);
    set.wait = setTimeout(() => keepInAddress(Object.fromEntries(Object.entries(state).map(([k, v]) => [`pad-${k}`, v]))), 300);
  }

  // A corner's noise, from now on the mixture that sounds; or one that was never drawn before.
  function keep(i) {
    if (!model) return void (status.textContent = "Press Start first: then there is a noise to keep.");
    model.corners[i] = model.condition(rounded()).slice(0, model.header.noise);
    status.textContent = `${LETTERS[i]} is now the noise that you hear.`;
    go(i); // where it sounds as it did
  }
  function redraw(i) {
    seeds[i] = Math.max(...seeds) + 1;
    if (model) model.corners[i] = model.drawn(seeds[i]);
    status.textContent = `${LETTERS[i]} is a new noise, of seed ${seeds[i]}.`;
    set({ seeds: seeds.join(".") });
  }
  const go = (i) => set({ x: i % 2, y: i < 2 ? 1 : 0 });
  const places = LETTERS.map((letter, i) => element("div", { class: "play-corner", role: "group", "aria-label": `Noise ${letter}` },
    element("button", { type: "button", onclick: () => go(i) }, `Go to ${letter}`),
    element("button", { type: "button", onclick: () => keep(i) }, `Keep as ${letter}`),
    element("button", { type: "button", onclick: () => redraw(i) }, `New ${letter}`)));

  const tempo = element("input", { type: "range", min: 40, max: 200, step: 1, oninput: (e) => set({ tempo: +e.target.value }) });
  const choice = element("select", { onchange: (e) => set({ key: e.target.value }) }, ...keys.map((key) => element("option", { value: key }, key)));
  function point(event) {
    const box = pad.getBoundingClientRect();
    set({ x: bounded((event.clientX - box.left) / box.width, 0, 1), y: bounded(1 - (event.clientY - box.top) / box.height, 0, 1) });
  }
  pad.addEventListener("pointerdown", (event) => { pad.setPointerCapture(event.pointerId); point(event); });
  pad.addEventListener("pointermove", (event) => { if (pad.hasPointerCapture(event.pointerId)) point(event); });
  pad.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: ["x", -1], ArrowRight: ["x", 1], ArrowDown: ["y", -1], ArrowUp: ["y", 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    set({ [way[0]]: bounded(state[way[0]] + way[1] / GRID, 0, 1) });
  });

  root.append(
    element("div", { class: "play-row" }, button), status, pad, drawing, meter,
    element("div", { class: "play-corners" }, ...places),
    element("div", { class: "play-fields" }, ...(keys.length ? [element("label", {}, "Key", choice)] : []),
      element("label", {}, "Tempo", tempo), gain),
  );
  set({});
}
