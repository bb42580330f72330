// A recorded piano: few keys first, more while the music plays. Sounds in, buffers out.

const KEEP = 7, FADE = 0.5; // seconds of a string that are kept, and over which it then fades
const SILENT = 0.01, LOUDER = 1.4; // of its peak: what comes before is a recording's beginning

// A recording from its first sound, cut, and faded where it was cut.
export function trimmed(context, sound) {
  const { numberOfChannels: channels, sampleRate: rate } = sound;
  const data = Array.from({ length: channels }, (_, c) => sound.getChannelData(c));
  let peak = 0, first = 0;
  for (const x of data) for (const v of x) peak = Math.max(peak, Math.abs(v));
  while (first < sound.length && data.every((x) => Math.abs(x[first]) < SILENT * peak)) first++;
  first = Math.max(0, Math.min(first - Math.floor(0.002 * rate), sound.length - 1));
  const length = Math.min(sound.length - first, Math.floor(KEEP * rate)), fade = Math.floor(FADE * rate);
  const out = context.createBuffer(channels, length, rate);
  data.forEach((x, c) => {
    const kept = x.slice(first, first + length);
    for (let i = 0; i < length; i++) kept[i] *= LOUDER * Math.min(1, (length - i) / fade);
    out.copyToChannel(kept, c);
  });
  return out;
}

export class Recordings {
  // `load` gives a key's recording as base64 text; `keys` the MIDI pitches there are, in the order
  // in which they are wanted, and `first` how many of them are needed before the first sound.
  constructor(context, { keys, first, credit }, load) {
    Object.assign(this, { context, keys, first, credit, load, buffers: new Map() });
  }

  async fetch(pitch) {
    const bytes = Uint8Array.from(atob(await this.load(pitch)), (c) => c.charCodeAt(0));
    this.buffers.set(pitch, trimmed(this.context, await this.context.decodeAudioData(bytes.buffer)));
  }

  // The first keys; the others follow while they are played, one after another.
  async prepare() {
    for (const pitch of this.keys.slice(0, this.first)) await this.fetch(pitch);
  }

  // A key whose recording fails to come is played by its neighbours.
  async rest() {
    for (const pitch of this.keys.slice(this.first)) {
      await this.fetch(pitch).catch(() => {});
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  // The nearest recording, and how much faster it must run to have the pitch.
  near(pitch) {
    let best = null;
    for (const key of this.buffers.keys()) if (best === null || Math.abs(key - pitch) < Math.abs(best - pitch)) best = key;
    return [this.buffers.get(best), 2 ** ((pitch - best) / 12)];
  }
}

// The recorded piano of a page, or null where its building had none to give.
export async function recordings(context, load) {
  try {
    const piano = await load("keys"), found = piano && new Recordings(context, piano, load);
    await found?.prepare();
    return found;
  } catch {
    return null; // the synthesised piano plays
  }
}
