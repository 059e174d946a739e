// A long list of which only the rows on the screen exist. The page scrolls, not the list.
class Rows {
  #place;
  #make;
  #items = [];
  #tops = [0];
  #there = new Map();

  // make(item, index): the element of a row.
  constructor(place, make) {
    this.#place = place;
    this.#make = make;
    addEventListener("scroll", () => this.draw(), { passive: true });
    addEventListener("resize", () => this.renew());
  }

  // changed: the items that are to be made anew, if all others are as they were and where they were.
  show(items, heightOf, changed) {
    if (changed && items.length === this.#items.length && items.every((item, i) => item === this.#items[i])) {
      this.#items = items;
      this.renew(changed);
      return;
    }
    for (const row of this.#there.values()) row.remove();
    this.#there.clear();
    this.#items = items;
    this.#tops = new Float64Array(items.length + 1);
    items.forEach((item, i) => (this.#tops[i + 1] = this.#tops[i] + heightOf(item)));
    this.#place.style.height = `${this.#tops[items.length]}px`;
    this.draw();
  }

  // Make the rows on the screen anew, or only those of some items.
  renew(only = this.#items) {
    for (const [i, row] of this.#there) {
      if (only !== this.#items && !only.includes(this.#items[i])) continue;
      row.remove();
      this.#there.delete(i);
    }
    this.draw();
  }

  draw() {
    if (!this.#place.offsetParent) return;
    const above = -this.#place.getBoundingClientRect().top;
    const [first, last] = [this.#at(above - 200), this.#at(above + innerHeight + 200)];
    for (const [i, row] of this.#there) {
      if (i < first || i > last) {
        row.remove();
        this.#there.delete(i);
      }
    }
    let next = null; // so that they stand in the document in their order, too
    for (let i = Math.min(last, this.#items.length - 1); i >= first; i--) {
      const row = this.#there.get(i) ?? this.#placed(i, next);
      this.#there.set(i, row);
      next = row;
    }
  }

  #placed(i, next) {
    const row = this.#make(this.#items[i], i);
    row.style.transform = `translateY(${this.#tops[i]}px)`;
    row.style.height = `${this.#tops[i + 1] - this.#tops[i]}px`;
    this.#place.insertBefore(row, next);
    return row;
  }

  // Scroll so that a row is to be seen, below what stays at the top of the window.
  reveal(i, covered) {
    const top = this.#place.getBoundingClientRect().top;
    const [from, to] = [top + this.#tops[i], top + this.#tops[i + 1]];
    if (from < covered) scrollBy(0, from - covered - 8);
    else if (to > innerHeight) scrollBy(0, to - innerHeight + 8);
    this.draw();
  }

  // The row at this many pixels from the top of the list.
  #at(pixels) {
    let [low, high] = [0, Math.max(0, this.#items.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= pixels) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
