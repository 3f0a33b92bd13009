/** The view of a running call: joins the meeting to the tiles, the lists, the chat and the controls. */

import { Activity } from "./activity.js";
import { Chat } from "./chat.js";
import { Grid } from "./grid.js";
import { button, element, part, video } from "./page.js";
import { People } from "./people.js";
import { RelaySwitch } from "./relay.js";
import { Tile } from "./tile.js";
import { membershipEnded, transportChanged, transportInUse, wayInShort } from "./words.js";

/** The tile of somebody who left stays this long; the list and the account keep telling of them. */
const GONE_SHOWN_MS = 30_000;

const MEASURE_MS = 1000;

const root = document.documentElement;

/**
 * @typedef {import("./meeting.js").Meeting} Meeting
 * @typedef {import("./meeting.js").Person} Person
 * @typedef {import("./source.js").Source} Source
 */

export class CallView {
  #grid = new Grid(element("grid"));
  #people = new People();
  #activity = new Activity();
  #chat;
  #banner;
  #on;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** How the connections ran when they were last looked at, and what of that is in the account. @type {WeakMap<Tile, {seen: string, told: string}>} */
  #ways = new WeakMap();
  #relay;
  /** @type {Meeting|null} */
  #meeting = null;
  /** @type {Source|null} */
  #source = null;
  #name = "";
  #silenced = new Set();
  #mic = true;
  #camera = true;

  /**
   * @param {import("./banner.js").Banner} banner
   * @param {{leave: () => void, ended: (again: boolean) => void, relayOnly: (on: boolean) => void}} on
   */
  constructor(banner, on) {
    this.#banner = banner;
    this.#on = on;
    this.#chat = new Chat((text) => this.#meeting?.say(text) ?? false);
    this.#relay = new RelaySwitch((relayOnly) => {
      on.relayOnly(relayOnly);
      this.#meeting?.setRelayOnly(relayOnly);
      this.#showRelay();
    });
    setInterval(() => this.#measure(), MEASURE_MS);
    button("leave").addEventListener("click", on.leave);
    button("mic").addEventListener("click", () => {
      this.#switchMic(!this.#mic);
      this.#tellMeta();
    });
    button("camera").addEventListener("click", () => {
      this.#switchCamera(!this.#camera);
      this.#tellMeta();
    });
    element("transport").addEventListener("change", (event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      this.#meeting?.room.setTransport(/** @type {"auto"|"sse"|"poll"} */ (value));
    });
  }

  /** @param {Meeting} meeting @param {Source} source @param {{name: string, transport: string, link: string}} call */
  open(meeting, source, { name, transport, link }) {
    this.close();
    this.#meeting = meeting;
    this.#source = source;
    this.#name = name;
    const { room } = meeting;
    root.dataset.view = "call";
    root.dataset.peer = room.peer;
    root.dataset.room = room.name;
    document.title = `${room.name} · Switchboard`;
    element("room-name").textContent = room.name;
    element("invite-link").textContent = link;
    element("private-sign").hidden = !room.sealed;
    /** @type {HTMLInputElement} */ (part(element("transport"), `[value="${transport}"]`)).checked = true;
    video("self-video").srcObject = source.stream;
    element("self").dataset.source = source.kind;
    element("self-name").textContent = name;
    this.#people.self(name, source.kind === "camera" ? "sending camera" : "sending a drawn picture");
    button("mic").disabled = !source.hasSound;
    this.#switchMic(true);
    this.#switchCamera(true);
    this.#listen(meeting);
    this.#signaling();
    this.#showRelay();
    this.#activity.add(`You joined ${room.name}`);
    meeting.greet();
    window.scrollTo(0, 0);
    element("call").focus({ preventScroll: true });
  }

  /** Clears the view for the next call. */
  close() {
    this.#meeting = null;
    for (const tile of this.#tiles.values()) this.#grid.remove(tile.root);
    this.#tiles.clear();
    this.#silenced.clear();
    this.#people.clear();
    this.#chat.clear();
    this.#activity.clear();
    video("self-video").srcObject = null;
    document.title = "Switchboard";
    delete root.dataset.peer;
    delete root.dataset.room;
    root.dataset.connected = "0";
  }

  /** @param {Meeting} meeting */
  #listen(meeting) {
    /** @param {EventTarget} target @param {string} event @param {(detail: any) => void} handler */
    const on = (target, event, handler) => target.addEventListener(event, (told) => {
      if (this.#meeting === meeting) handler(/** @type {CustomEvent} */ (told).detail);
    });
    on(meeting, "person", ({ person }) => this.#show(person));
    on(meeting, "said", ({ name, text }) => this.#chat.add(name, text, false));
    on(meeting, "relay", () => this.#showRelay());
    on(meeting, "happened", ({ text }) => this.#activity.add(text));
    on(meeting.room, "state", ({ state }) => {
      this.#signaling();
      if (state === "reconnecting") this.#activity.add("The way to the server is interrupted. Calls go on.");
    });
    on(meeting.room, "transport", ({ transport, why }) => {
      this.#signaling();
      this.#activity.add(transportChanged(transport, why));
    });
    on(meeting.room, "rejoined", () => {
      root.dataset.peer = meeting.room.peer;
      this.#showRelay();
    });
    on(meeting.room, "ice-servers", () => this.#showRelay());
    on(meeting.room, "end", () => {
      const { end } = meeting.room;
      if (!end) return;
      this.#signaling();
      const words = membershipEnded(end);
      this.#activity.add(words);
      this.#banner.show(words, "Join again", () => this.#on.ended(true));
      this.#on.ended(false);
    });
  }

  /** @param {Person} person */
  #show(person) {
    const meeting = /** @type {Meeting} */ (this.#meeting);
    let tile = this.#tiles.get(person.peer);
    if (!tile && person.state !== "ended") {
      tile = new Tile(person.peer, {
        hangup: () => meeting.hangup(person.peer),
        again: () => meeting.callAgain(person.peer),
        dismiss: () => this.#dismiss(person.peer),
        silenced: (silent) => this.#offerSound(silent),
      });
      this.#tiles.set(person.peer, tile);
      this.#grid.add(tile.root);
    }
    tile?.show(person);
    if (person.presence === "gone") setTimeout(() => this.#forget(meeting, person), GONE_SHOWN_MS);
    this.#people.show(person);
    this.#chat.open = meeting.canSpeak;
    root.dataset.connected = String([...meeting.people.values()].filter(({ state }) => state === "connected").length);
  }

  /** @param {Meeting} meeting @param {Person} person */
  #forget(meeting, person) {
    // Whoever has come back since then has a new entry of their own.
    if (this.#meeting === meeting && meeting.people.get(person.peer) === person) this.#dismiss(person.peer);
  }

  /** @param {string} peer */
  #dismiss(peer) {
    const tile = this.#tiles.get(peer);
    if (!tile) return;
    const focused = tile.root.contains(document.activeElement);
    this.#tiles.delete(peer);
    this.#grid.remove(tile.root);
    if (focused) element("call").focus();
  }

  #showRelay() {
    if (this.#meeting) this.#relay.show(this.#meeting.relay);
  }

  #measure() {
    for (const [peer, tile] of this.#tiles) void this.#look(tile, peer);
  }

  /** Looks how the connection runs; a change that lasts goes into the account. @param {Tile} tile @param {string} peer */
  async #look(tile, peer) {
    const meeting = this.#meeting;
    if (!meeting) return;
    const { on, locked } = meeting.relay;
    const way = await tile.measure(on || locked);
    const name = meeting.people.get(peer)?.name;
    if (!way || !name || this.#meeting !== meeting) return;
    const { seen = "", told = "" } = this.#ways.get(tile) ?? {};
    const now = wayInShort(way);
    const isNews = now === seen && now !== told;
    this.#ways.set(tile, { seen: now, told: isNews ? now : told });
    if (isNews) this.#activity.add(`The connection with ${name}: ${now}`);
  }

  #signaling() {
    const room = this.#meeting?.room;
    if (!room) return;
    root.dataset.signaling = room.state;
    root.dataset.transport = room.transport ?? "";
    element("transport-now").textContent = transportInUse(room.transport, room.state);
  }

  /** @param {HTMLVideoElement} silent */
  #offerSound(silent) {
    this.#silenced.add(silent);
    this.#banner.show("The browser keeps the others silent until you ask for sound.", "Turn sound on", () => {
      for (const each of this.#silenced) each.muted = false;
      this.#silenced.clear();
    });
  }

  /** @param {boolean} on */
  #switchMic(on) {
    this.#mic = on;
    this.#source?.sound(on);
    const { hasSound = false } = this.#source ?? {};
    press("mic", !on && hasSound, hasSound ? (on ? "Mute" : "Unmute") : "No mic");
  }

  /** @param {boolean} on */
  #switchCamera(on) {
    this.#camera = on;
    this.#source?.sight(on);
    element("self").dataset.picture = on ? "on" : "off";
    press("camera", !on, on ? "Hide picture" : "Show picture");
  }

  #tellMeta() {
    const { room } = this.#meeting ?? {};
    if (room && !room.end) room.setMeta(metaOf(this.#name, { mic: this.#mic, camera: this.#camera })).catch(() => {});
  }
}

/**
 * What the others are told: the name, and what is switched off.
 * @param {string} name
 * @param {{mic: boolean, camera: boolean}} on
 */
export const metaOf = (name, { mic, camera }) => ({ name, ...(mic ? {} : { mic }), ...(camera ? {} : { camera }) });

/** @param {string} id @param {boolean} pressed @param {string} label */
function press(id, pressed, label) {
  const element = button(id);
  element.setAttribute("aria-pressed", String(pressed));
  part(element, "span").textContent = label;
}
