// Sixteen switches and what they play: every code's window lies packed in the figure.
(() => {
  const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
  const name = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);
  const SVG = "http://www.w3.org/2000/svg";
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const setUp = async (figure) => {
    const digits = Number(figure.dataset.digits), rows = Number(figure.dataset.rows);
    const sixteenth = 15 / Number(figure.dataset.tempo); // seconds
    const roll = figure.querySelector(".sb-roll"), words = figure.querySelector(".sb-words");
    const packed = figure.querySelector("template").content.textContent.trim();
    let data;
    try { data = await unpack(packed); } catch {
      words.textContent = "This browser can't unpack the board: it needs DecompressionStream.";
      return;
    }
    let code = Number(figure.dataset.start), context = null, walking = 0;
    // Row r of code c: its token, then its length.
    const window_ = (c) => {
      const notes = [];
      let at = 0;
      for (let r = 0; r < rows; r++) {
        const what = data[2 * (c * rows + r)], length = data[2 * (c * rows + r) + 1];
        if (what < 128) notes.push({ pitch: what, at, length });
        else if (what === 128) at += length;
      }
      return { notes, length: at };
    };
    const switches = Array.from({ length: digits }, (_, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("role", "switch");
      button.setAttribute("aria-label", `Bit ${i + 1}`);
      button.addEventListener("click", () => flip([i], true));
      figure.querySelector(".sb-switches").append(button);
      return button;
    });
    const draw = () => {
      switches.forEach((button, i) => {
        const on = (code >> (digits - 1 - i)) & 1;
        button.setAttribute("aria-checked", on ? "true" : "false");
        button.textContent = on ? "1" : "0";
      });
      const { notes, length } = window_(code);
      roll.setAttribute("viewBox", `0 0 ${Math.max(length, 1)} 40`);
      roll.replaceChildren(...notes.map((note) => {
        const box = document.createElementNS(SVG, "rect");
        for (const [k, v] of Object.entries({
          x: note.at, y: 88 - note.pitch, width: Math.max(note.length - 0.12, 0.3), height: 1.6,
        })) box.setAttribute(k, v);
        return box;
      }));
      words.textContent = notes.map((n) => `${name(n.pitch)} ${n.length}`).join(" · ");
      words.textContent += `  (${length} sixteenths)`;
    };
    const tone = (pitch, when, seconds) => {
      const volume = context.createGain(), voice = context.createOscillator();
      voice.type = "triangle";
      voice.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
      volume.gain.setValueAtTime(0, when);
      volume.gain.linearRampToValueAtTime(0.25, when + 0.01);
      volume.gain.exponentialRampToValueAtTime(0.001, when + Math.max(seconds, 0.12) + 0.15);
      voice.connect(volume).connect(context.destination);
      voice.start(when);
      voice.stop(when + seconds + 0.3);
    };
    const sound = () => { // the present window; how long it lasts, in seconds
      context ??= new AudioContext();
      const { notes, length } = window_(code), now = context.currentTime + 0.03;
      for (const n of notes) tone(n.pitch, now + n.at * sixteenth, n.length * sixteenth);
      return length * sixteenth;
    };
    const flip = (bits, play) => {
      for (const i of bits) code ^= 1 << (digits - 1 - i);
      draw();
      if (play && !walking) sound();
    };
    const two = () => {
      const first = Math.floor(Math.random() * digits);
      return [first, (first + 1 + Math.floor(Math.random() * (digits - 1))) % digits];
    };
    const walk = figure.querySelector(".sb-walk");
    const stop = () => {
      clearTimeout(walking);
      walking = 0;
      walk.textContent = "Walk";
    };
    const next = () => {
      const seconds = sound();
      walking = setTimeout(() => { flip(two(), false); next(); }, 1000 * seconds);
    };
    figure.querySelector(".sb-play").addEventListener("click", () => { stop(); sound(); });
    figure.querySelector(".sb-two").addEventListener("click", () => flip(two(), true));
    walk.addEventListener("click", () => {
      if (walking) return stop();
      walk.textContent = "Stop";
      next();
    });
    for (const button of figure.querySelectorAll("button")) button.disabled = false;
    draw();
  };
  for (const figure of document.querySelectorAll("figure.symphony-board:not([data-ready])")) {
    figure.dataset.ready = "";
    setUp(figure);
  }
})();
