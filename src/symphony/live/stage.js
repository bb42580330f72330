// What stands round every instrument but the pianist's pad: a Start button, a piano, a keyboard that
// lights up, the loudness; and the weights in half precision, as they are shipped.

import { Piano, alone, bytesOf, element, keyboard } from "./play.js";

// A number from the sixteen bits of a finite half.
export function half(bits) {
  const exponent = (bits >> 10) & 31, mantissa = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  return sign * (exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24);
}

// Tensors from what `symphony.live.boards` packed, each as rows of columns.
export function unpackHalves({ header, data }) {
  const halves = new Uint16Array(bytesOf(data).buffer), tensors = {};
  for (const { name, rows, cols, at } of header.tensors) {
    tensors[name] = { rows, cols, values: Float32Array.from(halves.subarray(at, at + rows * cols), half) };
  }
  return tensors;
}

export const sum = (a, b) => a.values.map((v, i) => v + b.values[i]);

export const bounded = (value, low, high) => Math.min(high, Math.max(low, value));

// `begin(model, { piano, now, at, light })` gives what plays: `work()` is called every 12 ms until
// the end, then `stop()`. `recorded` gives a recorded piano. Times are seconds since Start; `at` turns one into the audio clock's.
export function stage(root, { load, begin, words, recorded }) {
  let context, piano, model, timer, running = null, origin = 0, loudness = 0.8;
  const status = element("p", { class: "play-status", role: "status" }, "Press Start.");
  const [drawing, lit] = keyboard();
  const button = element("button", { type: "button", class: "play-start", onclick: () => (timer ? stop() : play()) }, "Start");
  const gain = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: loudness, oninput: (e) => {
    loudness = +e.target.value;
    piano?.out.gain.setTargetAtTime(loudness, context.currentTime, 0.02);
  } });
  const started = alone(root, () => { if (timer) stop(); });
  const now = () => context.currentTime - origin;

  async function play() {
    const Context = window.AudioContext || window.webkitAudioContext;
    if (!Context) return void (status.textContent = "This browser has no Web Audio, which the piano needs.");
    started();
    button.disabled = true;
    context ??= new Context({ latencyHint: "interactive" });
    await context.resume();
    try {
      status.textContent = "Loading the network …";
      model ??= await load();
    } catch {
      status.textContent = "The network can't be loaded: is the folder _static beside this page?";
      return;
    } finally {
      button.disabled = false;
    }
    if (!piano) {
      button.disabled = true;
      status.textContent = "Tuning the piano …";
      piano = new Piano(context);
      await piano.prepare(recorded);
      piano.recordings?.rest();
      button.disabled = false;
    }
    piano.out.gain.value = loudness;
    origin = context.currentTime + 0.1;
    running = begin(model, { piano, now, at: (time) => origin + time, light });
    timer = setInterval(() => running.work(), 12);
    button.textContent = "Stop";
    status.textContent = `${words} Piano: ${piano.recordings?.credit ?? "computed, not recorded"}.`;
    root.playing = { running, piano, context, model };
  }

  function light(pitch, on) {
    lit.get(pitch)?.classList.toggle("on", on);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    running.stop?.();
    running = null;
    piano.silence();
    for (const key of lit.values()) key.classList.remove("on");
    button.textContent = "Start";
    status.textContent = "Stopped.";
  }

  document.addEventListener("visibilitychange", () => { if (document.hidden && timer) stop(); });
  return { button, status, drawing, gain: element("label", {}, "Loudness", gain), now, running: () => running };
}
