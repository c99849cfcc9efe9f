// How old a picture is when the camera's clock and this one differ.

const IN_STEP = 1500; // ms of smallest offset that count as the line's and camera's own delay
const BACKWARDS = 2000; // ms by which a live picture's time may go back before the clock was set

/**
 * Clock learns one camera's clock from live pictures. The smallest offset
 * between capture and arrival is the fastest way a picture ever took: what is
 * above it is lag, what it holds beyond a second and a half is the clocks'
 * difference.
 */
export class Clock {
	#least = Number.NaN;
	#newest = 0;

	/**
	 * @param {number} captured by the camera's clock, ms since the epoch
	 * @param {number} arrived by ours
	 */
	learn(captured, arrived) {
		const offset = arrived - captured;
		if (Number.isNaN(this.#least) || captured < this.#newest - BACKWARDS) this.#least = offset;
		this.#least = Math.min(this.#least, offset);
		this.#newest = captured;
	}

	/** ms to add to the camera's times to have ours; 0 while the clocks agree or nothing is known. */
	get difference() {
		return this.#least < 0 || this.#least > IN_STEP ? this.#least : 0;
	}

	/**
	 * @param {number} captured
	 * @param {number} now
	 */
	age(captured, now) {
		return Math.max(0, now - captured - this.difference);
	}

	/**
	 * lag is how much longer than the fastest picture this one took.
	 * @param {number} captured
	 * @param {number} now
	 */
	lag(captured, now) {
		return Number.isNaN(this.#least) ? 0 : Math.max(0, now - captured - this.#least);
	}
}
