// How much of what is heard was copied: the longest run of onsets shared with the training music,
// as `symphony.evaluation.originality` finds it, while the piece plays. Notes in, a line of text out.

const ROLLED = 0.03 + 1e-9; // seconds: notes this close belong to one onset
const SLICE = 200_000; // symbols prepared at once: some milliseconds

const pause = () => new Promise((done) => setTimeout(done));

export class CopyIndex {
  constructor(header, symbols) {
    Object.assign(this, { header, symbols, begins: [0] });
    this.known = new Uint8Array(1 << header.bits);
  }

  // From what `symphony.live.copies` packed; a little work at a time, for music may be playing.
  static async unpack({ header, data }) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const index = new CopyIndex(header, new Uint16Array(await new Response(plain).arrayBuffer()));
    await index.sort();
    return index;
  }

  pair(i) {
    return this.symbols[i] | (this.symbols[i + 1] << this.header.bits);
  }

  // Where each pair of symbols occurs: places, ordered by pair, and where each pair's begin.
  async sort() {
    const { symbols, known, begins, header: { bits, boundary } } = this, n = symbols.length;
    const starts = new Uint32Array((1 << (2 * bits)) + 1);
    const inside = (i) => i + 1 < n && symbols[i] !== boundary && symbols[i + 1] !== boundary;
    for (let i = 0; i < n; i++) {
      if (symbols[i] === boundary) begins.push(i + 1);
      else known[symbols[i]] = 1;
      if (inside(i)) starts[this.pair(i) + 1]++;
      if (i % SLICE === 0) await pause();
    }
    for (let p = 1; p < starts.length; p++) starts[p] += starts[p - 1];
    const places = new Uint32Array(starts[starts.length - 1]), next = starts.slice();
    for (let i = 0; i < n; i++) {
      if (inside(i)) places[next[this.pair(i)]++] = i;
      if (i % SLICE === 0) await pause();
    }
    Object.assign(this, { starts, places });
  }

  // The longest run that ends with the last of some symbols, and the piece it is from, if any.
  ending(recent) {
    const n = recent.length, { symbols, starts, places, header } = this;
    if (!n || !this.known[recent[n - 1]]) return { run: 0, piece: null };
    const pair = n > 1 ? recent[n - 2] | (recent[n - 1] << header.bits) : -1;
    let run = 1, at = -1;
    for (let k = starts[pair]; k < starts[pair + 1]; k++) {
      let length = 2;
      while (length < n && symbols[places[k] + 1 - length] === recent[n - 1 - length]) length++;
      if (length > run) [run, at] = [length, places[k]];
    }
    return { run, piece: at < 0 ? null : this.piece(at) };
  }

  piece(place) {
    let low = 0, high = this.begins.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.begins[middle] <= place) low = middle; else high = middle;
    }
    return this.header.names[low].replaceAll("/", ", ").replaceAll("_", " ");
  }

  // What unseen real music of so many onsets shares with the training music.
  unseen(onsets) {
    const { lengths, median, p95 } = this.header;
    const near = Math.round(2 ** (Math.round(2 * Math.log2(Math.max(onsets, 8))) / 2));
    const at = Math.max(0, lengths.findLastIndex((length) => length <= near));
    return { median: median[at], p95: p95[at] };
  }
}

// One piece as it grows: notes in the order of their time become onsets, and onsets symbols.
export class CopyMeter {
  constructor(index) {
    Object.assign(this, { index, recent: [], onset: new Set(), top: null, last: -Infinity });
    this.longest = { run: 0, piece: null };
  }

  hear(time, pitches) {
    if (!pitches.length) return;
    if (time - this.last > ROLLED) this.close();
    this.last = time;
    for (const pitch of pitches) this.onset.add(pitch);
  }

  // The onset is whole: its pitches count from the highest of the one before.
  close() {
    if (!this.onset.size) return;
    const { bits, hashes } = this.index.header, pitches = [...this.onset];
    if (this.top !== null) {
      const sum = pitches.reduce((total, pitch) => total + hashes[pitch - this.top + 128], 0);
      this.recent.push(sum & ((1 << bits) - 1));
      const found = this.index.ending(this.recent);
      if (found.run > this.longest.run) this.longest = found;
    }
    this.top = Math.max(...pitches);
    this.onset.clear();
  }

  get words() {
    const { longest: { run, piece }, recent } = this, { median, p95 } = this.index.unseen(recent.length);
    if (!run) return "";
    const onsets = (n) => `${n} onset${n === 1 ? "" : "s"}`, from = piece ? ` (${piece})` : "";
    return `Longest run shared with the training music: ${onsets(run)}${from}. Unseen real music as long: ` +
      `median ${onsets(Math.round(median))}, one piece in twenty above ${Math.round(p95)}.` +
      (run > p95 ? " So this is more than nineteen in twenty share." : "");
  }
}

// The line on a page. `load` gives the packed index, once a piece has begun to sound.
export function copyLine(load) {
  const line = document.createElement("p");
  line.className = "play-copies";
  let loading, index, broken = false, meter = null, waiting = [];
  const show = () => {
    if (meter && line.textContent !== meter.words) line.textContent = meter.words;
  };
  async function prepare() {
    try {
      index = await CopyIndex.unpack(await load());
      meter = line.meter = new CopyMeter(index);
      for (const [time, pitches] of waiting) meter.hear(time, pitches);
      show();
    } catch {
      line.textContent = "The copy meter can't be loaded here.";
      broken = true;
    }
    waiting = [];
  }
  return {
    line,
    begin() {
      [line.textContent, waiting] = ["", []];
      if (index) meter = line.meter = new CopyMeter(index);
    },
    hear(time, notes) {
      const pitches = notes.filter(([, velocity]) => velocity).map(([pitch]) => pitch);
      if (broken || !pitches.length) return;
      loading ??= prepare();
      if (!meter) return void waiting.push([time, pitches]);
      meter.hear(time, pitches);
      show();
    },
    end() {
      meter?.close();
      show();
    },
  };
}
