/** Prometheus' text, as far as the plots need it. Knows no page. */

/**
 * @typedef {{name: string, labels: Record<string, string>, value: number}} Sample
 * @typedef {{upTo: number, count: number}} Bucket `upTo` in seconds; the last is Infinity.
 */

const PREFIX = "switchboard_";
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @param {string} text @returns {Metrics} */
export function parse(text) {
  /** @type {Sample[]} */
  const samples = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (!name) continue;
    const named = [...labels.matchAll(LABEL)].map(([, key, word]) => [key, word.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter))]);
    samples.push({ name, labels: Object.fromEntries(named), value: value === "+Inf" ? Infinity : Number(value) });
  }
  return new Metrics(samples);
}

export class Metrics {
  #samples;

  /** @param {Sample[]} samples */
  constructor(samples) {
    this.#samples = samples;
  }

  /** The sum of all that bear the name; undefined where none does. @param {string} name without the prefix */
  sum(name) {
    const found = this.#of(name);
    return found.length ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
  }

  /** By the value of one label, the others summed up. @param {string} name @param {string} label @returns {Map<string, number>} */
  by(name, label) {
    /** @type {Map<string, number>} */
    const all = new Map();
    for (const { labels, value } of this.#of(name)) all.set(labels[label] ?? "", (all.get(labels[label] ?? "") ?? 0) + value);
    return all;
  }

  /** How many fell into each bucket, and not into the one before. @param {string} name @returns {Bucket[]} */
  buckets(name) {
    const edges = [...this.by(`${name}_bucket`, "le")].map(([le, count]) => ({ upTo: le === "+Inf" ? Infinity : Number(le), count }));
    edges.sort((a, b) => a.upTo - b.upTo);
    return edges.map(({ upTo, count }, n) => ({ upTo, count: Math.max(0, count - (edges[n - 1]?.count ?? 0)) }));
  }

  /** @param {string} name */
  #of(name) {
    return this.#samples.filter((sample) => sample.name === PREFIX + name);
  }
}

/** Within which edge that share of all lies; undefined where there are none. @param {Bucket[]} buckets @param {number} share */
export function within(buckets, share) {
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  if (all === 0) return undefined;
  let so = 0;
  for (const { upTo, count } of buckets) {
    so += count;
    if (so >= all * share) return upTo;
  }
  return Infinity;
}
