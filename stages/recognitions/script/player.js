// Plays segments in the browser's own player.
class Player {
  #screen = find("video");
  #segment = null;
  #loaded = null;
  #until = null;
  #waiting = 0;

  // Whether the next segment is to be played, too: it is once somebody has played one, until they pause.
  #isLively = false;

  // stops(): whether to stop at the end of a segment. onTime(seconds), onState(isPlaying): for the rest of the page.
  constructor({ stops, onTime, onState }) {
    this.stops = stops;
    const follow = () => {
      const time = this.#screen.currentTime;
      onTime(time);
      if (this.#until !== null && time >= this.#until) {
        this.#until = null;
        if (this.stops()) this.#screen.pause();
      }
      if (!this.#screen.paused) requestAnimationFrame(follow);
    };
    this.#screen.addEventListener("play", () => {
      onState(true);
      requestAnimationFrame(follow);
    });
    this.#screen.addEventListener("pause", () => onState(false));
    this.#screen.addEventListener("seeked", () => onTime(this.#screen.currentTime));
    this.#screen.addEventListener("seeking", () => {
      const { start, end } = this.#segment;
      const time = this.#screen.currentTime;
      if (time < start - 0.1 || time > end) this.#until = null; // somebody went elsewhere: stop nowhere
    });
    this.#screen.addEventListener("error", () => this.#explain());
  }

  // Play a segment, or show its first picture.
  show(segment) {
    clearTimeout(this.#waiting);
    if (this.#isLively) this.play(segment);
    else this.#waiting = setTimeout(() => this.#go(segment), 120); // not for each one that a held key passes
  }

  play(segment) {
    clearTimeout(this.#waiting);
    this.#isLively = true;
    this.#go(segment);
    this.#until = segment.end;
    this.#screen.play().catch(() => {}); // the event "error" says why
  }

  toggle(segment) {
    if (!this.#screen.paused) {
      this.#isLively = false;
      this.#screen.pause();
    } else if (this.#segment !== segment || this.#until === null) {
      this.play(segment);
    } else {
      this.#isLively = true;
      this.#screen.play().catch(() => {});
    }
  }

  // The segment that is shown has other boundaries now.
  become(segment) {
    this.#segment = segment;
    if (this.#until !== null) this.#until = segment.end;
  }

  // Where the player is in a segment; undefined if it is elsewhere, or still about to go there.
  timeIn(segment) {
    return this.#segment === segment && !this.#waiting ? this.#screen.currentTime : undefined;
  }

  move(seconds) {
    const { currentTime, duration } = this.#screen;
    if (duration) this.#screen.currentTime = Math.min(Math.max(currentTime + seconds, 0), duration);
  }

  #go(segment) {
    this.#waiting = 0;
    this.#segment = segment;
    const { preview, original } = segment.video;
    if (this.#loaded !== segment.video) {
      this.#loaded = segment.video;
      find("trouble").hidden = true;
      this.#screen.poster = pictureOf(segment);
      this.#screen.src = preview ?? original;
    }
    this.#screen.currentTime = segment.start;
  }

  #explain() {
    const { preview, original } = this.#loaded;
    find("trouble").replaceChildren(
      "Cannot be played: the video is not where it was, or browsers do not know its format. ",
      element("code", { textContent: "recognize --previews" }),
      " writes a copy that they know.",
    );
    find("trouble").title = decodeURI(new URL(preview ?? original, location.href).pathname);
    find("trouble").hidden = false;
  }
}

// The address of a segment's thumbnail; empty if it has none.
const pictureOf = ({ thumbnail }) => (thumbnail < 0 ? "" : `data:image/jpeg;base64,${data.thumbnails[thumbnail]}`);
