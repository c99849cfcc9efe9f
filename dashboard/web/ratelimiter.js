// Limits the pictures per second of one camera: fewer when they come late or replace each
// other, more again after a time without either.

const WINDOW = 3000; // ms over which pictures are judged
const LATE = 1000; // ms of lag in the middle of a window
const REPLACED = 0.3; // share of pictures that gave way to a newer one before they were drawn
const PATIENCE_MIN = 10_000; // ms of good windows before more is tried
const PATIENCE_MAX = 160_000;
const DEEPEST = 64;

/** RateLimiter judges one camera's pictures. All times are ms of one clock. */
export class RateLimiter {
	#divisor = 1;
	#start = 0;
	#arrived = 0;
	#replaced = 0;
	/** @type {number[]} */
	#lags = [];
	#goodSince = 0;
	#raisedAt = Number.NEGATIVE_INFINITY;
	#patience = PATIENCE_MIN;
	#settling = true; // the first window holds the connection's own start

	/** reset begins anew after a pause, with the rate found before it. @param {number} now */
	reset(now) {
		this.#start = now;
		this.#goodSince = now;
		this.#settling = true;
		this.#clear();
	}

	get slow() {
		return this.#divisor > 1;
	}

	/**
	 * fps is what to ask for when up to base is wanted.
	 * @param {number} base
	 */
	fps(base) {
		return Math.max(Math.min(1, base), base / this.#divisor);
	}

	arrived() {
		this.#arrived++;
	}

	replaced() {
		this.#replaced++;
	}

	/** @param {number} lag ms from capture to screen beyond the fastest picture */
	drawn(lag) {
		if (this.#lags.length < 256) this.#lags.push(lag);
	}

	/**
	 * judge ends a window when its time has come.
	 * @param {number} now
	 * @param {number} base pictures per second wanted
	 * @returns {boolean} whether the rate changed
	 */
	judge(now, base) {
		if (now - this.#start < WINDOW) return false;
		const late = this.#isLate();
		const before = this.fps(base);
		if (this.#settling) {
			this.#settling = false;
		} else if (late) {
			this.#goodSince = now;
			if (before > 1 && this.#divisor < DEEPEST) this.#lower(now);
		} else if (this.slow && now - this.#goodSince >= this.#patience) {
			this.#divisor /= 2;
			this.#raisedAt = now;
			this.#goodSince = now;
			this.#settling = true;
		}
		this.#start = now;
		this.#clear();
		return this.fps(base) !== before;
	}

	/** @param {number} now */
	#lower(now) {
		this.#patience = now - this.#raisedAt < PATIENCE_MIN ? Math.min(2 * this.#patience, PATIENCE_MAX) : PATIENCE_MIN;
		this.#divisor *= 2;
		this.#settling = true;
	}

	#isLate() {
		if (this.#arrived >= 6 && this.#replaced / this.#arrived > REPLACED) return true;
		const lags = this.#lags.sort((a, b) => a - b);
		return lags.length > 0 && lags[lags.length >> 1] > LATE;
	}

	#clear() {
		this.#arrived = 0;
		this.#replaced = 0;
		this.#lags = [];
	}
}
