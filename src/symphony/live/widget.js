// The page's pad as a widget of a notebook: the kernel sends the weights, and hears of each move.

import { mount } from "./play.js";

const PATIENCE = 33; // ms between two messages to the kernel, however fast a hand is

function render({ model, el }) {
  const root = document.createElement("div"), names = ["key", "temperature", "gain", "seed"];
  root.className = "symphony-play";
  el.append(root);
  let waiting = null, latest = null;
  const send = () => {
    waiting = null;
    model.set("place", [latest.density, latest.pitch]);
    for (const name of names) model.set(name, latest[name]);
    model.save_changes();
  };
  const moved = (state) => {
    latest = state;
    waiting ??= setTimeout(send, PATIENCE);
  };
  const given = () => {
    const [density, pitch] = model.get("place");
    return { density, pitch, ...Object.fromEntries(names.map((name) => [name, model.get(name)])) };
  };
  const load = async () => ({ header: model.get("header"), data: model.get("weights") });
  const { set, stop } = mount(root, { keys: model.get("key_names"), load, moved, begin: given() });
  const led = () => { // the kernel moves the hand; what this side sent itself is no news
    const now = given();
    if (Object.entries(now).some(([name, value]) => value !== latest[name])) set(now);
  };
  const events = ["place", ...names].map((name) => `change:${name}`);
  for (const event of events) model.on(event, led);
  return () => {
    stop();
    clearTimeout(waiting);
    for (const event of events) model.off(event, led);
  };
}

export default { render };
