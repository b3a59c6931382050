// A cache of bounded size that forgets what was not used for longest.

/** @template V */
export class Lru {
  /** @param {number} most Sum of the sizes of what it keeps. */
  constructor(most) {
    this.most = most;
    this.size = 0;
    /** @type {Map<string, {value: V, size: number}>} */
    this.entries = new Map();
  }

  /** @param {string} key @returns {V | undefined} */
  get(key) {
    const found = this.entries.get(key);
    if (!found) return undefined;
    this.entries.delete(key);
    this.entries.set(key, found);
    return found.value;
  }

  /** @param {string} key @param {V} value @param {number} size */
  set(key, value, size) {
    this.delete(key);
    this.entries.set(key, { value, size });
    this.size += size;
    for (const oldest of this.entries.keys()) {
      if (this.size <= this.most) break;
      this.delete(oldest);
    }
  }

  /** @param {string} key */
  delete(key) {
    this.size -= this.entries.get(key)?.size ?? 0;
    this.entries.delete(key);
  }

  clear() {
    this.entries.clear();
    this.size = 0;
  }
}
