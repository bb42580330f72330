// Play with a conditional Char-RNN in a browser: the network's step, branch and swap, a piano, and
// the page's pad. No server, no library. The Python beside this file does the same in the notebook.

const NOTE_OFF = 128, SHIFT = 256, VELOCITY = 356, STEP = 0.01;
const LONGEST_NOTE = 8, LATE = 0.01, CUT = 0.03, MOST_AHEAD = 4;

// ---- The network -------------------------------------------------------------------------------

// Bytes from base64, or from a view of some that a kernel sent; at an even place in any case.
export function bytesOf(data) {
  if (typeof data === "string") return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

// Tensors from what `symphony.live.browser` packed: matrices as int8 with a scale for each row.
export function unpack({ header, data }) {
  const bytes = bytesOf(data), tensors = {};
  for (const { name, rows, cols, at } of header.tensors) {
    const scales = new Float32Array(bytes.buffer, at, rows), out = new Float32Array(rows * cols);
    if (cols === 1) {
      out.set(scales); // a bias is stored whole
    } else {
      const small = new Int8Array(bytes.buffer, at + 4 * rows, rows * cols);
      for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < cols; c++, i++) out[i] = small[i] * scales[r];
    }
    tensors[name] = { rows, cols, values: out };
  }
  return tensors;
}

// out += W x for columns [from, from + x.length) of W, four sums at a time.
export function addProduct({ rows, cols, values }, x, out, from = 0) {
  const n = x.length, whole = n - (n % 4);
  for (let r = 0; r < rows; r++) {
    const base = r * cols + from;
    let a = 0, b = 0, c = 0, d = 0;
    for (let i = 0; i < whole; i += 4) {
      a += values[base + i] * x[i];
      b += values[base + i + 1] * x[i + 1];
      c += values[base + i + 2] * x[i + 2];
      d += values[base + i + 3] * x[i + 3];
    }
    for (let i = whole; i < n; i++) a += values[base + i] * x[i];
    out[r] += a + b + c + d;
  }
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// An LSTM cell's new state from its gates and the cell it had; the old one stays as it is.
export function lstmCell(gates, before) {
  const n = before.length, h = new before.constructor(n), c = new before.constructor(n);
  for (let j = 0; j < n; j++) { // input, forget, candidate, output: torch's order
    c[j] = sigmoid(gates[n + j]) * before[j] + sigmoid(gates[j]) * Math.tanh(gates[2 * n + j]);
    h[j] = sigmoid(gates[3 * n + j]) * Math.tanh(c[j]);
  }
  return { h, c };
}

export class Model {
  constructor(packed) {
    this.header = packed.header;
    const tensors = unpack(packed);
    this.embed = tensors["embed.weight"];
    this.head = [tensors["head.weight"], tensors["head.bias"]];
    this.layers = [];
    for (let i = 0; tensors[`lstm.weight_hh_l${i}`]; i++) {
      const part = (name) => tensors[`lstm.${name}_l${i}`];
      const bias = part("bias_ih").values.map((v, r) => v + part("bias_hh").values[r]);
      this.layers.push({ input: part("weight_ih"), hidden: part("weight_hh"), bias });
    }
    this.bos = this.header.bos;
    this.read = new Map(); // what the first layer makes of each symbol, computed once
    this.conditions = new WeakMap(); // and of each condition
  }

  initial() {
    return this.layers.map(({ hidden }) => ({ h: new Float32Array(hidden.cols), c: new Float32Array(hidden.cols) }));
  }

  // The first layer's gates before its own memory is added: symbol, condition and bias.
  first(token, condition) {
    const { input, bias } = this.layers[0], width = this.embed.cols;
    if (!this.read.has(token)) {
      const x = this.embed.values.subarray(token * width, (token + 1) * width), out = bias.slice();
      addProduct(input, x, out);
      this.read.set(token, out);
    }
    if (!this.conditions.has(condition)) {
      const out = new Float32Array(input.rows);
      addProduct(input, condition, out, width);
      this.conditions.set(condition, out);
    }
    const gates = this.read.get(token).slice(), more = this.conditions.get(condition);
    for (let r = 0; r < gates.length; r++) gates[r] += more[r];
    return gates;
  }

  // One symbol onwards: logits of what follows, and a new state; the old one stays as it is.
  step(token, state, condition) {
    const after = [];
    let x = null;
    this.layers.forEach(({ input, hidden, bias }, i) => {
      const gates = i ? bias.slice() : this.first(token, condition);
      if (i) addProduct(input, x, gates);
      addProduct(hidden, state[i].h, gates);
      after.push(lstmCell(gates, state[i].c));
      x = after[i].h;
    });
    const logits = this.head[1].values.slice();
    addProduct(this.head[0], x, logits);
    return [logits, after];
  }

  // The condition of a place of the hand, each from 0 to 1, and a key's name, "own" scale, or none.
  condition({ density, pitch, key, scale }) {
    const { places, levels, keys } = this.header, out = new Float32Array(places.size);
    const level = (v) => Math.min(levels - 1, Math.max(0, Math.round((Number.isFinite(v) ? v : 0.5) * (levels - 1))));
    out[places.pitch + level(pitch)] = 1;
    out[places.density + level(density)] = 1;
    if (keys[key]) out.set(keys[key], places.histogram);
    else if (key === "own") out.set(ownScale(scale), places.histogram);
    return out;
  }
}

// A digit for each pitch class from C, as shares; nothing but zeros says that all are equal.
export function ownScale(digits) {
  const weights = Array.from(digits, Number), sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => (sum ? weight / sum : 1 / 12));
}

// A number in [0, 1) for each place of a piece: the same whichever branch draws it.
export function uniform(seed, place) {
  let x = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(place + 1, 0xc2b2ae35)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 4294967296;
}

// A symbol drawn from logits; only keys that are down may be released, as in codecs/constraints.py.
export function draw(logits, down, temperature, u, bos) {
  const scores = Float64Array.from(logits);
  scores[bos] = -Infinity;
  const total = (allowed) => {
    let sum = 0;
    for (let p = 0; p < 128; p++) if (allowed(p)) sum += Math.exp(scores[NOTE_OFF + p]);
    return Math.log(sum);
  };
  const all = total(() => true), held = total((p) => down.has(p));
  for (let p = 0; p < 128; p++) {
    if (!down.has(p)) scores[NOTE_OFF + p] = -Infinity;
    else if (Number.isFinite(held)) scores[NOTE_OFF + p] += all - held;
  }
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
  if (!Number.isFinite(scores[best])) throw new Error("The network's logits are not finite.");
  if (!(temperature > 0)) return best;
  const weights = scores.map((s) => Math.exp((s - scores[best]) / temperature));
  let sum = 0, reached = 0, last = best;
  for (const w of weights) sum += w;
  for (let i = 0; i < weights.length; i++) {
    if (!weights[i]) continue;
    reached += weights[i];
    last = i;
    if (reached > u * sum) break;
  }
  return last;
}

// ---- Composing ahead, and changing course ------------------------------------------------------

export class Improviser {
  // `score` schedules a step's notes and returns how to take them back.
  constructor(model, score, { seed = 0, lookAhead = 0.5, lead = 0.08 } = {}) {
    Object.assign(this, { model, score, seed, lookAhead, lead });
    this.temperature = 1;
    this.line = { end: 0, state: { drawn: 0, token: model.bos, network: model.initial(), down: new Set(), velocity: model.header.velocity }, steps: [] };
    this.branch = null;
    this.breaks = []; // when the last underruns were
    this.control = 0;
    this.under = model.condition({ density: 0.5, pitch: 0.5 });
    this.report = { steps: 0, discarded: 0, underruns: 0, notes: 0, answers: [], slowest: 0, spent: 0 };
    this.moved = new Map([[0, 0]]); // control -> when
  }

  lead_by(place, now) {
    const condition = this.model.condition(place);
    if (condition.every((v, i) => v === this.under[i])) return;
    this.under = condition;
    this.moved.set(++this.control, now);
  }

  compose(state, condition) {
    const { model } = this, begun = performance.now();
    const [logits, network] = model.step(state.token, state.network, condition);
    const token = draw(logits, state.down, this.temperature, uniform(this.seed, state.drawn), model.bos);
    let { down, velocity } = state;
    const notes = [], pitch = token % 128;
    if (token < SHIFT) {
      if (down.has(pitch)) notes.push([pitch, 0]);
      if (token < NOTE_OFF) notes.push([pitch, velocity]);
      down = new Set(down);
      if (token < NOTE_OFF) down.add(pitch); else down.delete(pitch);
    } else if (token >= VELOCITY) velocity = model.header.velocities[token - VELOCITY];
    const seconds = token >= SHIFT && token < VELOCITY ? (token - SHIFT + 1) * STEP : 0;
    const spent = performance.now() - begun;
    this.report.steps++;
    this.report.spent += spent;
    this.report.slowest = Math.max(this.report.slowest, spent);
    return { notes, seconds, after: { drawn: state.drawn + 1, token, network, down, velocity } };
  }

  grow(line, condition, control) {
    const { notes, seconds, after } = this.compose(line.state, condition);
    const step = { due: line.end, notes, before: line.state, control, condition };
    line.steps.push(step);
    line.end += seconds;
    line.state = after;
    return step;
  }

  // Work for at most so many milliseconds; then let the page breathe.
  work(now, clock, most = 8) {
    const until = performance.now() + most;
    this.pass(now);
    while (performance.now() < until) {
      now = clock();
      if (!this.branch && this.newest() !== this.control) this.branchOff(now);
      if (this.branch) {
        this.grow(this.branch, this.branch.condition, this.branch.control);
        this.trySwap(clock());
      } else if (this.line.end < now + this.lookAhead) {
        if (this.line.end < now - LATE) { // an underrun moves the clock: what is late is not hurried
          this.line.end = now + this.lead;
          if (this.line.state.drawn) this.underrun(now);
        }
        const step = this.grow(this.line, this.under, this.control);
        step.cancel = this.score(step);
      } else return;
    }
  }

  // Three breaks in ten seconds: this machine is slow, so more music is kept ready from now on.
  underrun(now) {
    this.report.underruns++;
    this.breaks = [...this.breaks.slice(-2), now];
    if (this.breaks.length < 3 || now - this.breaks[0] > 10 || this.lookAhead >= MOST_AHEAD) return;
    this.breaks = [];
    this.lookAhead = Math.min(1.5 * this.lookAhead, MOST_AHEAD);
  }

  newest() {
    const step = this.line.steps[this.line.steps.length - 1] ?? this.last;
    return step ? step.control : this.control;
  }

  // Begin a branch at the first moment that is far enough ahead, or within a long wait.
  branchOff(now) {
    const { steps, end } = this.line, earliest = now + this.lead;
    const found = steps.findIndex((s) => s.due >= earliest), at = found < 0 ? steps.length : found;
    const before = at ? steps[at - 1] : this.last, begins = steps[at], leaves = begins ? begins.due : end;
    const branch = { begins, steps: [], condition: this.under, control: this.control };
    if (before && !before.notes.length && leaves - earliest > CUT) {
      const { token, network, drawn, down, velocity } = before.before;
      const count = Math.min(100, Math.max(1, Math.ceil((earliest - before.due) / STEP))), short = SHIFT + count - 1;
      const [, after] = this.model.step(token, network, before.condition); // it waited no longer
      branch.state = { drawn: drawn + 1, token: short, network: after, down, velocity };
      branch.leaves = branch.end = before.due + count * STEP;
      this.branch = branch;
    } else if (begins) this.branch = { ...branch, state: begins.before, leaves: begins.due, end: begins.due };
  }

  trySwap(now) {
    const { branch, line } = this, at = branch.begins ? line.steps.indexOf(branch.begins) : line.steps.length;
    if (at < 0 || branch.leaves < now) { // the sound has overtaken it
      this.report.discarded += branch.steps.length;
      this.branch = null;
    } else if (branch.end >= now + this.lookAhead || (branch.leaves - now < this.lead / 4 && branch.end >= now + this.lead)) {
      for (const step of line.steps.slice(at).reverse()) step.cancel();
      this.report.discarded += line.steps.length - at;
      for (const step of branch.steps) step.cancel = this.score(step);
      this.line = { end: branch.end, state: branch.state, steps: [...line.steps.slice(0, at), ...branch.steps] };
      this.branch = null;
    }
  }

  // Steps whose time has come are no longer to be taken back.
  pass(now) {
    const { steps } = this.line;
    let count = 0;
    while (count < steps.length && steps[count].due <= now) {
      const { notes, control, due } = steps[count++];
      for (const [, velocity] of notes) {
        if (!velocity) continue;
        this.report.notes++;
        if (this.moved.has(control)) {
          if (control) this.report.answers.push(due - this.moved.get(control));
          for (const old of [...this.moved.keys()]) if (old <= control) this.moved.delete(old);
        }
      }
      this.played?.(steps[count - 1]);
      this.last = steps[count - 1];
    }
    steps.splice(0, count);
    if (this.report.answers.length > 1000) this.report.answers.splice(0, 500);
  }
}

// ---- A piano -----------------------------------------------------------------------------------

// A string's partials, a little sharp as a stiff string's are, the high ones dying first.
export function tone(pitch, rate, seconds = 3) {
  const f = 440 * 2 ** ((pitch - 69) / 12), out = new Float32Array(Math.floor(rate * seconds));
  const stiff = 0.0002 * 2 ** ((pitch - 60) / 12), decay = 1.6 * 2 ** ((48 - pitch) / 24);
  for (let k = 1; k <= 16; k++) {
    const w = 2 * Math.PI * f * k * Math.sqrt(1 + stiff * k * k) / rate;
    if (w > Math.PI * 0.9) break;
    const size = (Math.sin(Math.PI * k / 8) ** 2 + 0.15) / k ** 1.3, turn = 2 * Math.cos(w);
    const fade = Math.exp(-1 / (rate * decay / (1 + 0.35 * (k - 1))));
    let y1 = 0, y2 = -Math.sin(w), gain = size; // a sine by its recurrence
    for (let i = 0; i < out.length; i++) {
      out[i] += y1 * gain;
      [y1, y2] = [turn * y1 - y2, y1];
      gain *= fade;
    }
  }
  let most = 0;
  for (const v of out) most = Math.max(most, Math.abs(v));
  const soft = Math.floor(rate * 0.003), tail = Math.floor(rate * 0.1);
  for (let i = 0; i < out.length; i++) {
    out[i] *= 0.5 / most * Math.min(1, i / soft, (out.length - i) / tail);
  }
  return out;
}

export class Piano {
  constructor(context) {
    this.context = context;
    this.out = context.createGain();
    const limiter = context.createDynamicsCompressor();
    this.out.connect(limiter).connect(context.destination);
    this.tones = new Map();
    this.recordings = null; // of a real piano, where there are some
    this.held = new Map(); // pitch -> the note whose key goes down last
    this.notes = new Set();
  }

  // A tone every third semitone; the ones between are a little faster or slower.
  buffer(pitch) {
    if (this.recordings) return this.recordings.near(pitch);
    const base = Math.round(pitch / 3) * 3;
    if (!this.tones.has(base)) {
      const sound = tone(base, this.context.sampleRate);
      const buffer = this.context.createBuffer(1, sound.length, this.context.sampleRate);
      buffer.copyToChannel(sound, 0);
      this.tones.set(base, buffer);
    }
    return [this.tones.get(base), 2 ** ((pitch - base) / 12)];
  }

  // All tones, before they are needed; a little work at a time. `recorded` may give better ones.
  async prepare(recorded) {
    this.recordings = (await recorded?.(this.context)) ?? null;
    if (this.recordings) return;
    for (let pitch = 21; pitch <= 108; pitch += 3) {
      this.buffer(pitch);
      await new Promise((done) => setTimeout(done));
    }
  }

  down(pitch, velocity, time) {
    const source = this.context.createBufferSource(), gain = this.context.createGain();
    const filter = this.context.createBiquadFilter(), [buffer, rate] = this.buffer(pitch);
    filter.frequency.value = 500 + 60 * velocity; // a soft touch is a dull one
    source.buffer = buffer;
    source.playbackRate.value = rate;
    gain.gain.value = (velocity / 127) ** 1.5;
    source.connect(filter).connect(gain).connect(this.out);
    source.start(time);
    source.stop(time + LONGEST_NOTE);
    const note = { source, gain, pitch, before: this.held.get(pitch) };
    this.notes.add(note);
    source.onended = () => { this.notes.delete(note); gain.disconnect(); note.before = undefined; };
    this.held.set(pitch, note);
    return () => { // taken back before it sounds
      source.onended = null;
      source.stop(0);
      gain.disconnect();
      this.notes.delete(note);
      if (note.before) this.held.set(pitch, note.before); else this.held.delete(pitch);
    };
  }

  up(pitch, time) {
    const note = this.held.get(pitch);
    if (!note) return () => {};
    this.held.delete(pitch);
    note.gain.gain.setTargetAtTime(0, time, 0.06);
    note.source.stop(time + 0.6);
    return () => {
      note.gain.gain.cancelScheduledValues(time);
      note.source.stop(time + LONGEST_NOTE);
      this.held.set(pitch, note);
    };
  }

  // All of a step, in order; the answer takes it back, last first.
  play(notes, time) {
    const undo = notes.map(([pitch, velocity]) => velocity ? this.down(pitch, velocity, time) : this.up(pitch, time));
    return () => undo.reverse().forEach((one) => one());
  }

  silence() {
    for (const { source, gain } of this.notes) {
      gain.gain.cancelScheduledValues(0);
      gain.gain.setTargetAtTime(0, this.context.currentTime, 0.02);
      source.stop(this.context.currentTime + 0.2);
    }
    this.held.clear();
  }
}

// ---- A MIDI file -------------------------------------------------------------------------------

// Events [seconds, pitch, velocity] as the bytes of a MIDI file: 480 ticks a quarter, 120 a minute.
export function midiFile(events) {
  const bytes = [], length = (n) => {
    const out = [n & 127];
    while ((n >>= 7)) out.unshift((n & 127) | 128);
    return out;
  };
  let before = 0;
  for (const [seconds, pitch, velocity] of events) {
    const tick = Math.max(before, Math.round(seconds * 960));
    bytes.push(...length(tick - before), velocity ? 0x90 : 0x80, pitch, velocity);
    before = tick;
  }
  bytes.push(0, 0xff, 0x2f, 0);
  const head = [0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 0, 0, 1, 1, 0xe0, 0x4d, 0x54, 0x72, 0x6b];
  const size = [24, 16, 8, 0].map((shift) => (bytes.length >> shift) & 255);
  return new Uint8Array([...head, ...size, ...bytes]);
}

// ---- The page ----------------------------------------------------------------------------------

const START = { density: 0.5, pitch: 0.5, key: "A minor", temperature: 1, gain: 0.8, seed: 0, scale: "909090090900" };
const RANGES = { density: [0, 1], pitch: [0, 1], temperature: [0.3, 1.5], gain: [0, 1] };
const PRESETS = {
  "Quiet bass": { density: 0.2, pitch: 0.15 },
  "Middle": { density: 0.5, pitch: 0.5 },
  "Cascade": { density: 0.95, pitch: 0.8 },
  "High and sparse": { density: 0.15, pitch: 0.95 },
};

// State from the part of the address after #; whatever is not a number in range is left out.
export function readState(hash, keys) {
  const found = { ...START }, given = new URLSearchParams(hash.replace(/^#/, ""));
  for (const [name, [low, high]] of Object.entries(RANGES)) {
    const value = parseFloat(given.get(name));
    if (Number.isFinite(value)) found[name] = Math.min(high, Math.max(low, value));
  }
  if (given.has("key") && [...keys, "any", "own"].includes(given.get("key"))) found.key = given.get("key");
  if (/^\d{12}$/.test(given.get("scale"))) found.scale = given.get("scale");
  const seed = parseInt(given.get("seed"), 10);
  if (seed >= 0 && seed < 2 ** 31) found.seed = seed;
  return found;
}

// What a page's address keeps, beside what other instruments on the page keep there.
export function keepInAddress(state) {
  const all = new URLSearchParams(location.hash.slice(1));
  for (const [k, v] of Object.entries(state)) all.set(k, typeof v === "number" ? +v.toFixed(2) : v);
  history.replaceState(null, "", `#${all}`);
}

// One instrument at a time: whoever starts says so, and the others stop.
const STARTED = "symphony-started";
export function alone(root, stop) {
  document.addEventListener(STARTED, ({ detail }) => { if (detail !== root) stop(); });
  return () => document.dispatchEvent(new CustomEvent(STARTED, { detail: root }));
}

export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

const BLACK = new Set([1, 3, 6, 8, 10]);

// Eighty-eight keys as an SVG, each found by its pitch.
export function keyboard() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), keys = new Map();
  svg.setAttribute("viewBox", "0 0 520 60");
  svg.setAttribute("aria-hidden", "true");
  let white = 0;
  const later = [];
  for (let pitch = 21; pitch <= 108; pitch++) {
    const key = document.createElementNS("http://www.w3.org/2000/svg", "rect"), black = BLACK.has(pitch % 12);
    const place = { x: black ? white * 10 - 3 : white++ * 10, y: 0, width: black ? 6 : 10, height: black ? 36 : 60 };
    for (const [name, value] of Object.entries(place)) key.setAttribute(name, value);
    key.classList.add(black ? "black" : "white");
    keys.set(pitch, key);
    if (black) later.push(key); else svg.append(key);
  }
  svg.append(...later);
  return [svg, keys];
}

// The pad and all around it, in an element. `load` gives the packed model, when it is first needed.
// In a page the address keeps where the hand is; in a notebook `moved` is called with it instead,
// and `begin` says where it starts. `recorded` gives a recorded piano, `copies` is a copy meter,
// `scales` makes a board for a scale of the player's own.
export function mount(root, { keys, load, moved, begin, recorded, copies, scales }) {
  const state = moved ? { ...START, ...begin } : readState(location.hash, keys), events = [];
  let context, piano, improviser, timer, begun = 0, recording = false;
  const status = element("p", { class: "play-status", role: "status" }, "Press Start. The first time, the network is loaded.");
  const [drawing, lit] = keyboard();
  const dot = element("i", { "aria-hidden": "true" });
  const pad = element("div", { class: "play-pad", tabindex: "0", role: "group",
    "aria-label": "Pad: drag, or use the arrow keys. To the right, more notes; upwards, higher ones." },
  element("span", { class: "high", "aria-hidden": "true" }, "high"), element("span", { class: "low", "aria-hidden": "true" }, "low"),
  element("span", { class: "few", "aria-hidden": "true" }, "few notes"), element("span", { class: "many", "aria-hidden": "true" }, "many"), dot);

  const sliders = {}, labels = { density: "Density", pitch: "Pitch height", temperature: "Temperature", gain: "Loudness" };
  const fields = Object.entries(labels).map(([name, label]) => {
    const [low, high] = RANGES[name];
    sliders[name] = element("input", { type: "range", min: low, max: high, step: 0.01, oninput: (e) => set({ [name]: +e.target.value }) });
    return element("label", {}, label, sliders[name]);
  });
  const choice = element("select", { onchange: (e) => set({ key: e.target.value }) },
    element("option", { value: "any" }, "any key"),
    ...(scales ? [element("option", { value: "own" }, "your own scale")] : []), ...keys.map((key) => element("option", { value: key }, key)));
  const presets = Object.entries(PRESETS).map(([name, place]) => element("button", { type: "button", onclick: () => set(place) }, name));
  const start = element("button", { type: "button", class: "play-start", onclick: () => (timer ? stop() : play()) }, "Start");
  const record = element("button", { type: "button", "aria-pressed": "false", onclick: toggleRecording }, "Record");
  const save = element("a", { class: "play-save", hidden: "", download: "played.mid" }, "Download MIDI");
  const reset = element("button", { type: "button", onclick: () => { stop(); set({ ...START, seed: (state.seed + 1) % 1000 }); } }, "Reset");
  const meter = element("p", { class: "play-meter" });

  const board = scales?.(set);

  function set(change) {
    Object.assign(state, change);
    board?.show(state.scale);
    for (const [name, slider] of Object.entries(sliders)) slider.value = state[name];
    choice.value = state.key;
    dot.style.left = `${100 * state.density}%`;
    dot.style.top = `${100 * (1 - state.pitch)}%`;
    if (piano) piano.out.gain.setTargetAtTime(state.gain, context.currentTime, 0.02);
    if (improviser) {
      improviser.temperature = state.temperature;
      improviser.lead_by(state, now());
    }
    if (moved) return void moved(state);
    clearTimeout(set.wait);
    set.wait = setTimeout(() => keepInAddress(state), 300);
  }

  const now = () => context.currentTime - begun;
  const started = alone(root, () => { if (timer) stop(); });

  async function play() {
    started();
    const Context = window.AudioContext || window.webkitAudioContext;
    if (!Context) return void (status.textContent = "This browser has no Web Audio, which the piano needs.");
    start.disabled = true;
    context ??= new Context({ latencyHint: "interactive" });
    await context.resume();
    try {
      status.textContent = "Loading the network …";
      play.model ??= new Model(await load());
    } catch (error) {
      status.textContent = "The network can't be loaded: is the folder _static beside this page?";
      start.disabled = false;
      return;
    }
    if (!piano) {
      status.textContent = "Tuning the piano …";
      piano = new Piano(context);
      await piano.prepare(recorded);
      piano.recordings?.rest();
    }
    copies?.begin();
    begun = context.currentTime + 0.1;
    improviser = new Improviser(play.model, (step) => piano.play(step.notes, begun + step.due), { seed: state.seed });
    improviser.played = heard;
    set({});
    timer = setInterval(() => improviser.work(now(), now), 12);
    start.disabled = false;
    start.textContent = "Stop";
    status.textContent = `Playing. Drag on the pad. Piano: ${piano.recordings?.credit ?? "computed, not recorded"}.`;
    root.playing = { improviser, piano, context, state };
  }

  function heard(step) {
    for (const [pitch, velocity] of step.notes) {
      const key = lit.get(pitch);
      if (key) key.classList.toggle("on", velocity > 0);
      if (recording) events.push([step.due, pitch, velocity]);
    }
    copies?.hear(step.due, step.notes);
    const { answers, underruns } = improviser.report;
    const words = answers.length ? [`Your last move was heard after ${Math.round(1000 * answers[answers.length - 1])} ms.`] : [];
    if (underruns) words.push(`${underruns} breaks so far, since this machine is busy: ${improviser.lookAhead.toFixed(1)} s of music are kept ready.`);
    if (meter.textContent !== words.join(" ")) meter.textContent = words.join(" ");
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    if (!improviser) return;
    improviser.pass(now());
    for (const step of [...improviser.line.steps].reverse()) step.cancel?.();
    piano.silence();
    copies?.end();
    if (recording) toggleRecording();
    for (const key of lit.values()) key.classList.remove("on");
    start.textContent = "Start";
    status.textContent = "Stopped.";
    improviser = null;
  }

  function toggleRecording() {
    recording = !recording;
    record.setAttribute("aria-pressed", recording);
    if (recording) {
      events.length = 0;
      save.hidden = true;
      return;
    }
    const first = events.length ? events[0][0] : 0, down = new Map();
    const kept = events.map(([time, pitch, velocity]) => [time - first, pitch, velocity])
      .filter(([, pitch, velocity]) => velocity ? down.set(pitch, 1) : down.delete(pitch));
    const end = kept.length ? kept[kept.length - 1][0] : 0;
    for (const pitch of down.keys()) kept.push([end + 0.01, pitch, 0]);
    if (!kept.length) return;
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(new Blob([midiFile(kept)], { type: "audio/midi" }));
    save.hidden = false;
  }

  function point(event) {
    const box = pad.getBoundingClientRect(), bound = (v) => Math.min(1, Math.max(0, v));
    set({ density: bound((event.clientX - box.left) / box.width), pitch: bound(1 - (event.clientY - box.top) / box.height) });
  }
  pad.addEventListener("pointerdown", (event) => { pad.setPointerCapture(event.pointerId); point(event); });
  pad.addEventListener("pointermove", (event) => { if (pad.hasPointerCapture(event.pointerId)) point(event); });
  pad.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: ["density", -1], ArrowRight: ["density", 1], ArrowDown: ["pitch", -1], ArrowUp: ["pitch", 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    set({ [way[0]]: Math.min(1, Math.max(0, state[way[0]] + 0.05 * way[1])) });
  });
  // A MIDI keyboard's modulation wheel and brightness, as `symphony play --source knobs` reads them.
  async function listen() {
    try {
      const access = await navigator.requestMIDIAccess(), inputs = [...access.inputs.values()];
      for (const input of inputs) {
        input.onmidimessage = ({ data: [kind, control, value] }) => {
          const axis = { 1: "density", 74: "pitch" }[control];
          if ((kind & 0xf0) === 0xb0 && axis && value < 128) set({ [axis]: value / 127 });
        };
      }
      status.textContent = inputs.length ? "Turn the wheel for density, and brightness (control 74) for height." : "There is no MIDI keyboard here.";
    } catch {
      status.textContent = "This browser doesn't let the page hear MIDI keyboards.";
    }
  }

  // A phone, tilted: left and right for density, to and fro for height.
  const tilted = ({ beta, gamma }) => {
    if (!Number.isFinite(beta) || !Number.isFinite(gamma)) return;
    const bound = (v) => Math.min(1, Math.max(0, v));
    set({ density: bound((gamma + 40) / 80), pitch: bound(beta / 80) });
  };
  async function toggleTilt() {
    const on = tilt.getAttribute("aria-pressed") !== "true";
    if (on && (await DeviceOrientationEvent.requestPermission?.().catch(() => "denied")) === "denied") return;
    tilt.setAttribute("aria-pressed", on);
    if (on) addEventListener("deviceorientation", tilted);
    else removeEventListener("deviceorientation", tilted);
  }
  const tilt = element("button", { type: "button", "aria-pressed": "false", onclick: toggleTilt }, "Tilt to lead");
  const devices = [];
  if (navigator.requestMIDIAccess) devices.push(element("button", { type: "button", onclick: listen }, "MIDI keyboard"));
  if (globalThis.DeviceOrientationEvent && matchMedia("(pointer: coarse)").matches) devices.push(tilt);

  document.addEventListener("visibilitychange", () => { if (document.hidden && timer) stop(); });

  root.append(
    element("div", { class: "play-row" }, start, record, save, reset), status, pad, drawing, meter, copies?.line ?? "",
    element("div", { class: "play-row", role: "group", "aria-label": "Places of the hand" }, ...presets),
    ...(devices.length ? [element("div", { class: "play-row", role: "group", "aria-label": "Devices" }, ...devices)] : []),
    element("div", { class: "play-fields" }, element("label", {}, "Key", choice), ...fields), board?.panel ?? "",
  );
  root.set = set;
  set({});
  return { set, stop };
}
