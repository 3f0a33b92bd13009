/**
 * What the address and this browser say about the call to make: the room and its key in the hash, the switches in
 * the query, the name that was typed last, and whether a reload should go straight back into the call.
 */

import { keyIn } from "../client/switchboard.js";

const query = new URLSearchParams(location.search);
const NAME_KEY = "switchboard.demo.name";
const RELAY_KEY = "switchboard.demo.relay-only";
const RESUME_KEY = "switchboard.demo.resume";

/** The server is the folder that this page came from, so a path prefix in front of it works too. */
export const server = new URL(".", location.href).href.replace(/\/$/, "");

const asked = query.get("transport");

/** The transport to begin with. @type {"auto"|"sse"|"poll"} */
export const transport = asked === "sse" || asked === "poll" ? asked : "auto";

/** The peer id to ask for, if the address names one. */
export const peer = query.get("peer") ?? undefined;

/** Whether the drawn picture is wanted and the camera must not be asked for. */
export const pictureOnly = query.get("picture") === "1";

/** Whether the call starts without a click. */
export const autostart = query.get("autostart") === "1";

/** The room that the hash names, cleaned of what no room id may hold; empty where it names none. */
export function roomInHash() {
  let raw = location.hash.slice(1).replace(/(^|&)key=.*$/, "");
  try {
    raw = decodeURIComponent(raw);
  } catch {
    // A lone percent sign is taken as it stands, and cleaned below.
  }
  return cleanRoom(raw);
}

/**
 * The key in the hash, which makes the link a private one, and whether it is whole. It is nowhere but there: the server
 * never gets a hash.
 *
 * @returns {{key: string|null, whole: boolean}}
 */
export function keyInHash() {
  try {
    return { key: keyIn(location.hash), whole: true };
  } catch {
    return { key: null, whole: false };
  }
}

/**
 * A room id out of what somebody typed: what the server refuses becomes a hyphen.
 * @param {string} text
 */
export function cleanRoom(text) {
  const id = text.trim().replace(/[^A-Za-z0-9._~-]+/g, "-").slice(0, 64);
  return /^(\.|\.\.|-*)$/.test(id) ? "" : id;
}

const COLOURS = ["amber", "azure", "copper", "coral", "golden", "indigo", "ivory", "jade", "lilac", "olive", "scarlet", "silver", "teal", "violet"];
const ANIMALS = ["badger", "crane", "dolphin", "falcon", "gecko", "heron", "ibex", "lynx", "magpie", "marten", "otter", "puffin", "raven", "swift", "tapir", "wren"];

/** A room name that can be read out over the telephone and is not likely to be taken. */
export function friendlyRoom() {
  const [colour, animal, number] = crypto.getRandomValues(new Uint32Array(3));
  return `${COLOURS[colour % COLOURS.length]}-${ANIMALS[animal % ANIMALS.length]}-${100 + (number % 900)}`;
}

/**
 * The hash of a link to a room.
 * @param {string} room @param {string|null} key
 */
export const hashOf = (room, key) => `#${room}${key === null ? "" : `&key=${key}`}`;

/**
 * The link that brings others into a room, free of the switches that only this page was opened with.
 * @param {string} room @param {string|null} key
 */
export const inviteLink = (room, key) => `${server}/${hashOf(room, key)}`;

/** The name that was used last, or the one that the address gives. */
export const savedName = () => query.get("name") ?? read(localStorageOrNull(), NAME_KEY) ?? "";

/** @param {string} name */
export const saveName = (name) => write(localStorageOrNull(), NAME_KEY, name);

/** Whether calls are to run through relays alone. */
export const savedRelayOnly = () => read(localStorageOrNull(), RELAY_KEY) === "1";

/** @param {boolean} on */
export const saveRelayOnly = (on) => write(localStorageOrNull(), RELAY_KEY, on ? "1" : null);

/**
 * Remembers for this tab that it is in a call, so that a reload goes back into it.
 * @param {{room: string, picture: boolean}|null} call
 */
export const saveResume = (call) => write(sessionStorageOrNull(), RESUME_KEY, call && JSON.stringify(call));

/** @returns {{room: string, picture: boolean}|null} */
export function savedResume() {
  try {
    const call = JSON.parse(read(sessionStorageOrNull(), RESUME_KEY) ?? "null");
    return call && call.room === roomInHash() ? call : null;
  } catch {
    return null;
  }
}

// Storage that the user has switched off throws on mere access; the demo then does without.

function localStorageOrNull() {
  try { return localStorage; } catch { return null; }
}

function sessionStorageOrNull() {
  try { return sessionStorage; } catch { return null; }
}

/** @param {Storage|null} storage @param {string} key */
function read(storage, key) {
  try { return storage?.getItem(key) ?? null; } catch { return null; }
}

/** @param {Storage|null} storage @param {string} key @param {string|null} value */
function write(storage, key, value) {
  try {
    if (value === null) storage?.removeItem(key);
    else storage?.setItem(key, value);
  } catch {
    // A full or forbidden storage costs the convenience, not the call.
  }
}
