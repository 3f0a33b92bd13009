/**
 * A drawn picture that moves, for whoever has no camera: a switchboard whose lamps light up in turn
 * around the initial of the name. (Tiles and lists write the whole name beside it.) Knows nothing of calls; hands out a MediaStream.
 */

const FRAMES_PER_SECOND = 15;
const WIDTH = 640;
const HEIGHT = 360;
const LAMPS = 24;
const TURN = Math.PI * 2;

/** Hues that stay clear of mud when they are darkened. */
const HUES = [12, 150, 176, 196, 214, 236, 264, 290, 326, 346];

/**
 * A hue that one name always gets, so that picture, tile and list agree on it.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 7;
  for (const letter of name) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0;
  return HUES[((hash ^ (hash >>> 9)) >>> 0) % HUES.length];
}

/** @param {string} name */
export const initialOf = (name) => ([...name.trim()][0] ?? "?").toLocaleUpperCase();

export class Picture {
  #canvas = document.createElement("canvas");
  #context;
  #timer = 0;
  #name;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
    this.#canvas.width = WIDTH;
    this.#canvas.height = HEIGHT;
    const context = this.#canvas.getContext("2d");
    if (!context) throw new DOMException("no drawing context", "NotSupportedError");
    this.#context = context;
    this.#draw();
    // A timer and not requestAnimationFrame, which stops while the page is not in sight.
    this.#timer = window.setInterval(() => this.#draw(), 1000 / FRAMES_PER_SECOND);
    this.stream = this.#canvas.captureStream(FRAMES_PER_SECOND);
  }

  /** @param {string} name */
  rename(name) {
    this.#name = name;
  }

  stop() {
    clearInterval(this.#timer);
    for (const track of this.stream.getTracks()) track.stop();
  }

  #draw() {
    const context = this.#context;
    // Where less motion is asked for the picture still changes, as a video must, but as slowly as a clock.
    const time = (performance.now() / 1000) * (this.#calm.matches ? 0.12 : 1);
    const hue = hueOf(this.#name);
    const x = WIDTH / 2;
    const y = HEIGHT / 2;

    const backdrop = context.createLinearGradient(0, 0, WIDTH, HEIGHT);
    backdrop.addColorStop(0, `hsl(${hue} 42% 24%)`);
    backdrop.addColorStop(1, `hsl(${hue + 38} 46% 13%)`);
    context.fillStyle = backdrop;
    context.fillRect(0, 0, WIDTH, HEIGHT);

    for (let cloud = 0; cloud < 3; cloud++) {
      const angle = time * (0.16 + cloud * 0.05) + (cloud * TURN) / 3;
      const cx = x + Math.cos(angle) * 220;
      const cy = y + Math.sin(angle * 1.3) * 110;
      const glow = context.createRadialGradient(cx, cy, 0, cx, cy, 260);
      glow.addColorStop(0, `hsl(${hue + cloud * 28} 62% 50% / .34)`);
      glow.addColorStop(1, `hsl(${hue + cloud * 28} 62% 50% / 0)`);
      context.fillStyle = glow;
      context.fillRect(0, 0, WIDTH, HEIGHT);
    }

    for (let lamp = 0; lamp < LAMPS; lamp++) {
      const angle = (lamp / LAMPS) * TURN - TURN / 4;
      // Each lamp fades behind the light that runs around the ring, once in six seconds.
      const behind = (((time / 6 - lamp / LAMPS) % 1) + 1) % 1;
      context.beginPath();
      context.arc(x + Math.cos(angle) * 122, y + Math.sin(angle) * 122, 4, 0, TURN);
      context.fillStyle = `hsl(44 92% 74% / ${0.16 + 0.84 * Math.max(0, 1 - behind * 2.4)})`;
      context.fill();
    }

    const breath = 1 + Math.sin(time * 1.4) * 0.018;
    context.beginPath();
    context.arc(x, y, 88 * breath, 0, TURN);
    context.fillStyle = `hsl(${hue} 44% 34%)`;
    context.fill();
    context.lineWidth = 3;
    context.strokeStyle = "rgb(255 255 255 / 34%)";
    context.stroke();

    context.fillStyle = "#fff";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `600 ${92 * breath}px system-ui, sans-serif`;
    context.fillText(initialOf(this.#name), x, y + 5);
  }
}
