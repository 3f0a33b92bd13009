/** Chance that falls out the same each time. */

/** @param {number} seed @returns {(below: number) => number} whole numbers from 0 up */
export function seeded(seed) {
  let state = seed >>> 0;
  // A linear congruential generator; its upper bits are good enough to choose by.
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Where to cut so many bytes into pieces. @param {(below: number) => number} chance @param {number} length @param {number} most */
export function cuts(chance, length, most) {
  const places = Array.from({ length: 1 + chance(most) }, () => chance(length + 1));
  return [...new Set(places)].sort((one, other) => one - other);
}
