// Chapter 10's sixteen switches, played: a code's notes go round and round, and a switch that is
// flipped is heard from the next round on.

import { addProduct, element, keepInAddress, sigmoid } from "./play.js";
import { bounded, stage, unpackHalves } from "./stage.js";

const NEXT = 128, END = 129, BEGIN = 130; // beside 128 pitches: go on; nothing more; before the first row
const READY = 0.15, SOON = 0.05; // seconds: a round is decided so long before it begins, and a late one begins so soon
const TOUCH = 80; // MIDI velocity of every note

// ---- The decoder -------------------------------------------------------------------------------

export class CodeModel {
  constructor(packed) {
    this.header = packed.header;
    this.tensors = unpackHalves(packed);
  }

  affine(name, x, suffix = "") {
    const out = this.tensors[`${name}bias${suffix}`].values.slice();
    addProduct(this.tensors[`${name}weight${suffix}`], x, out);
    return out;
  }

  // The state that a code's digits begin with, the first switch first.
  begin(digits) {
    const { levels } = this.header;
    return this.affine("start.", Float32Array.from(digits, (d) => d * (2 / (levels - 1)) - 1)).map(Math.tanh);
  }

  // One row onwards: logits of what comes and of how long it lasts, and a GRU's new state.
  step([what, length], state) {
    const { cols } = this.tensors["embed.what.weight"], n = state.length;
    const row = (name, i) => this.tensors[name].values.subarray(i * cols, (i + 1) * cols);
    const other = row("embed.length.weight", length - 1), read = row("embed.what.weight", what).map((v, i) => v + other[i]);
    const x = this.affine("gru.", read, "_ih_l0"), h = this.affine("gru.", state, "_hh_l0"), after = new Float32Array(n);
    for (let j = 0; j < n; j++) { // reset, update, new: torch's order
      const reset = sigmoid(x[j] + h[j]), update = sigmoid(x[n + j] + h[n + j]);
      const fresh = Math.tanh(x[2 * n + j] + reset * h[2 * n + j]);
      after[j] = (1 - update) * fresh + update * state[j];
    }
    return [this.affine("what.", after), this.affine("length.", after), after];
  }

  // Rows of a token and its sixteenths, each the likeliest; the rules are `Decoder.decode`'s.
  decode(digits) {
    const { window } = this.header, rows = [];
    let state = this.begin(digits), row = [BEGIN, 1];
    for (let t = 0; t < window && row[0] !== END; t++) {
      const [what, length, after] = this.step(row, state);
      if (row[0] < NEXT) what[END] = -Infinity; // an end comes only after a wait
      const best = (values, from, to) => {
        let at = from;
        for (let i = from; i < to; i++) if (values[i] > values[at]) at = i;
        return at;
      };
      row = [best(what, t === window - 1 ? NEXT : 0, t === 0 ? NEXT : END + 1), best(length, 0, length.length) + 1];
      rows.push(row);
      state = after;
    }
    return rows;
  }
}

// Notes [sixteenth, pitch, sixteenths] of rows, and how long all of them take.
export function windowOf(rows) {
  const notes = [];
  let at = 0;
  for (const [what, length] of rows) {
    if (what < NEXT) notes.push([at, what, length]);
    else if (what === NEXT) at += length;
  }
  return { notes, length: at };
}

// ---- Round and round ---------------------------------------------------------------------------

// `next()` gives the digits of a round when it is decided; `score(pitch, velocity, time)` plays.
export class Rounds {
  constructor(model, next, score, { tempo = 100 } = {}) {
    Object.assign(this, { model, next, score, tempo });
    this.end = 0;
    this.ahead = []; // keys [time, pitch, velocity] that are still to move
  }

  work(now) {
    while (this.end < now + READY) {
      if (this.end < now) this.end = now + SOON;
      const { notes, length } = windowOf(this.model.decode(this.next())), sixteenth = 15 / this.tempo, begin = this.end;
      const moves = notes.flatMap(([at, pitch, lasts], i) => {
        const again = notes.slice(i + 1).find(([, other]) => other === pitch)?.[0] ?? Infinity; // a key struck again went up before
        return [[begin + at * sixteenth, pitch, TOUCH], [begin + Math.min(at + lasts, again) * sixteenth, pitch, 0]];
      });
      for (const move of moves.sort((a, b) => a[0] - b[0] || a[2] - b[2])) {
        this.score(move[1], move[2], move[0]);
        this.ahead.push(move);
      }
      this.ahead.sort((a, b) => a[0] - b[0] || a[2] - b[2]);
      this.end += Math.max(length, 1) * sixteenth;
    }
    const passed = this.ahead.findIndex(([time]) => time > now);
    for (const move of this.ahead.splice(0, passed < 0 ? this.ahead.length : passed)) this.moved?.(move[1], move[2] > 0);
  }
}

// ---- The switches ------------------------------------------------------------------------------

const pitchName = (pitch) => ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"][pitch % 12] + (Math.floor(pitch / 12) - 1);

// Switches from an address: `code` is as many zeros and ones as there are switches, or it is ignored.
export function readCode(hash, digits, home) {
  const given = new URLSearchParams(hash.replace(/^#/, "")).get("code") ?? "";
  return [...(given.length === digits && /^[01]+$/.test(given) ? given : home)].map(Number);
}

export function mountSwitches(root, { home, load, recorded }) {
  const count = home.length, bits = readCode(location.hash, count, home);
  let model = null, sounding = "", rounds = null, walking = false, tempo = 100;
  const words = element("p", { class: "play-meter" });
  const begin = (_, { piano, now, at, light }) => {
    const next = () => {
      if (walking) flip(...two());
      sounding = bits.join("");
      requestAnimationFrame(draw);
      return bits;
    };
    const score = (pitch, velocity, time) => (velocity ? piano.down(pitch, velocity, at(time)) : piano.up(pitch, at(time)));
    rounds = new Rounds(model, next, score, { tempo });
    rounds.moved = light;
    return { rounds, work: () => rounds.work(now()), stop() { rounds = null; sounding = ""; draw(); } };
  };
  const loaded = async () => (model = new CodeModel(await load()));
  const { button, status, drawing, gain } = stage(root, { load: loaded, begin, recorded, words: "Playing. Flip a switch: the next round has it." });

  const switches = bits.map((_, i) => element("button", { type: "button", role: "switch", "aria-label": `Bit ${i + 1}`, onclick: () => flip(i) }));
  const two = () => {
    const first = Math.floor(Math.random() * count);
    return [first, (first + 1 + Math.floor(Math.random() * (count - 1))) % count];
  };
  function flip(...which) {
    for (const i of which) bits[i] = 1 - bits[i];
    draw();
    keepInAddress({ code: bits.join("") });
  }
  function draw() {
    switches.forEach((one, i) => {
      one.setAttribute("aria-checked", bits[i] ? "true" : "false");
      one.textContent = bits[i];
      one.classList.toggle("waiting", Boolean(sounding) && sounding[i] !== String(bits[i]));
    });
    if (!model) return;
    const { notes, length } = windowOf(model.decode(bits));
    words.textContent = `${notes.map(([, pitch, lasts]) => `${pitchName(pitch)} ${lasts}`).join(" · ")}  (${length} sixteenths a round)`;
  }
  const walk = element("button", { type: "button", "aria-pressed": "false", onclick: () => {
    walking = !walking;
    walk.setAttribute("aria-pressed", walking);
  } }, "Walk");
  const pace = element("input", { type: "range", min: 40, max: 200, step: 1, value: tempo, oninput: (e) => {
    tempo = +e.target.value;
    if (rounds) rounds.tempo = tempo;
  } });
  root.append(
    element("div", { class: "play-row" }, button, element("button", { type: "button", onclick: () => flip(...two()) }, "Flip two at random"), walk), status,
    element("div", { class: "play-switches", role: "group", "aria-label": "Switches of the code" }, ...switches), words, drawing,
    element("div", { class: "play-fields" }, element("label", {}, "Tempo", pace), gain),
  );
  draw();
}
