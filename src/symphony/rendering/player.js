// Runs once for every output that holds players; each figure is set up once.
(() => {
  const all = () => document.querySelectorAll("figure.symphony-player audio");
  let channel = null;
  try {
    // On Colab every output is a frame of its own: only a channel reaches the others.
    channel = window.symphonyPlayers ??= new BroadcastChannel("symphony-players");
    channel.onmessage = () => all().forEach((audio) => audio.pause());
  } catch { /* a page without the right to a channel still plays */ }
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  for (const figure of document.querySelectorAll("figure.symphony-player:not([data-ready])")) {
    figure.dataset.ready = "";
    const audio = figure.querySelector("audio");
    const roll = figure.querySelector(".sp-roll");
    const length = Number(figure.dataset.length), start = Number(figure.dataset.start);
    const seek = document.createElement("div");
    const cursor = document.createElement("i");
    seek.className = "sp-seek";
    seek.tabIndex = 0;
    seek.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrow keys
    for (const [name, value] of Object.entries({
      role: "slider", "aria-label": `Position in ${figure.dataset.title}`,
      "aria-valuemin": 0, "aria-valuemax": Math.round(length),
    })) seek.setAttribute(name, value);
    seek.append(cursor);
    roll.append(seek);

    const draw = () => {
      const now = Math.min(audio.currentTime, length);
      cursor.style.left = `${(100 * now) / length}%`;
      seek.setAttribute("aria-valuenow", Math.round(now));
      seek.setAttribute("aria-valuetext", `${clock(start + now)} of ${clock(start + length)}`);
    };
    const follow = () => { draw(); if (!audio.paused) requestAnimationFrame(follow); };
    const go = (time) => { audio.currentTime = Math.max(0, Math.min(time, length - 0.05)); draw(); };
    const toggle = () => (audio.paused ? audio.play().catch(() => {}) : audio.pause());
    const point = (event) => {
      const box = seek.getBoundingClientRect();
      go((length * (event.clientX - box.left)) / box.width);
    };

    // Versions of one piece share a clock: that of the `last` one played or moved, in shares.
    const shared = figure.closest("[data-one-clock]") ?? {};
    const share = (one) =>
      one.ended ? 0 : one.currentTime / Number(one.closest("figure").dataset.length);
    audio.addEventListener("seeking", () => { shared.last = audio; });
    audio.addEventListener("play", () => {
      if (shared.last && shared.last !== audio) go(share(shared.last) * length);
      shared.last = audio;
      all().forEach((other) => other !== audio && other.pause());
      channel?.postMessage("play");
      follow();
    });
    for (const name of ["timeupdate", "seeking", "ended"]) audio.addEventListener(name, draw);
    seek.addEventListener("pointerdown", (event) => {
      seek.setPointerCapture(event.pointerId);
      point(event);
    });
    seek.addEventListener("pointermove", (event) => event.buttons & 1 && point(event));
    seek.addEventListener("keydown", (event) => {
      const now = audio.currentTime;
      const keys = {
        ArrowLeft: () => go(now - 1), ArrowRight: () => go(now + 1),
        ArrowDown: () => go(now - 1), ArrowUp: () => go(now + 1),
        PageDown: () => go(now - 5), PageUp: () => go(now + 5),
        Home: () => go(0), End: () => go(length), " ": toggle, Enter: toggle,
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    });
    draw();
  }
})();
