// Reads a JPEG's header without decoding it: size, orientation, capture time and the
// picture's id. The bytes are not trusted, so every read is checked against the bounds.

/** Most pixels that are worth decoding; a few hundred bytes can claim a billion. */
export const MAX_PIXELS = 50e6;

const TAIL = 4096; // cameras pad after the end marker

/**
 * @typedef {object} Look
 * @property {number} width of the stored picture, pixels
 * @property {number} height
 * @property {number} orientation 1 to 8, EXIF's numbering
 * @property {number} orientationAt where its value lies, -1 when not given
 * @property {boolean} little byte order of EXIF
 * @property {number | null} captured ms since the epoch
 * @property {string} image the ImageUniqueID, '' when not given
 */

/**
 * look returns null for what is not a whole JPEG of a size.
 * @param {Uint8Array} b
 * @returns {Look | null}
 */
export function look(b) {
	if (b.length < 4 || b[0] !== 0xff || b[1] !== 0xd8 || !ends(b)) return null;
	/** @type {Look} */
	const found = { width: 0, height: 0, orientation: 1, orientationAt: -1, little: false, captured: null, image: '' };
	for (let at = 2; at + 4 <= b.length; ) {
		if (b[at] !== 0xff) return null;
		const marker = b[at + 1];
		if (marker === 0xff) {
			at++; // fill byte
			continue;
		}
		if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
			at += 2; // has no length
			continue;
		}
		const end = at + 2 + ((b[at + 2] << 8) | b[at + 3]);
		if (end < at + 4 || end > b.length || marker === 0xd9 || marker === 0xda) return null;
		if (marker === 0xe1 && found.orientationAt < 0 && found.captured === null) exif(b, at + 4, end, found);
		if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
			if (end < at + 9) return null;
			found.height = (b[at + 5] << 8) | b[at + 6];
			found.width = (b[at + 7] << 8) | b[at + 8];
			return found.width > 0 && found.height > 0 ? found : null;
		}
		at = end;
	}
	return null;
}

/** @param {Uint8Array} b */
function ends(b) {
	const first = Math.max(2, b.length - TAIL);
	for (let i = b.length - 2; i >= first; i--) if (b[i] === 0xff && b[i + 1] === 0xd9) return true;
	return false;
}

/**
 * upright returns the picture with its orientation set to 1, so that no decoder
 * turns it a second time. The given bytes stay as they are.
 * @param {Uint8Array<ArrayBuffer>} b
 * @param {Look} seen
 */
export function upright(b, seen) {
	if (seen.orientation === 1) return b;
	const copy = b.slice();
	copy[seen.orientationAt] = seen.little ? 1 : 0;
	copy[seen.orientationAt + 1] = seen.little ? 0 : 1;
	return copy;
}

/**
 * exif fills in what an APP1 segment says; a damaged one says nothing.
 * @param {Uint8Array} b
 * @param {number} start
 * @param {number} end
 * @param {Look} found
 */
function exif(b, start, end, found) {
	if (end - start < 14 || text(b, start, 6) !== 'Exif\0\0') return;
	const order = text(b, start + 6, 2);
	if (order !== 'II' && order !== 'MM') return;
	const tiff = new Tiff(new DataView(b.buffer, b.byteOffset + start + 6, end - start - 6), order === 'II');
	if (tiff.short(2) !== 42) return;
	const first = tiff.directory(tiff.long(4));
	const turn = first.get(0x0112);
	if (turn?.kind === 3) {
		const value = tiff.short(turn.at);
		if (value >= 1 && value <= 8) {
			found.orientation = value;
			found.orientationAt = start + 6 + turn.at;
			found.little = order === 'II';
		}
	}
	const more = first.get(0x8769);
	if (!more) return;
	const entries = tiff.directory(tiff.long(more.at));
	found.image = tiff.ascii(entries.get(0xa420));
	found.captured = moment(
		tiff.ascii(entries.get(0x9003)),
		tiff.ascii(entries.get(0x9291)),
		tiff.ascii(entries.get(0x9011)),
	);
}

/** @typedef {{kind: number, count: number, at: number}} Entry where a value lies in the TIFF block */

class Tiff {
	#v;
	#little;

	/**
	 * @param {DataView} v
	 * @param {boolean} little
	 */
	constructor(v, little) {
		this.#v = v;
		this.#little = little;
	}

	/** @param {number} at */
	short(at) {
		return at >= 0 && at + 2 <= this.#v.byteLength ? this.#v.getUint16(at, this.#little) : 0;
	}

	/** @param {number} at */
	long(at) {
		return at >= 0 && at + 4 <= this.#v.byteLength ? this.#v.getUint32(at, this.#little) : 0;
	}

	/**
	 * @param {number} at
	 * @returns {Map<number, Entry>}
	 */
	directory(at) {
		const entries = new Map();
		if (at < 8) return entries;
		const count = Math.min(this.short(at), 256);
		for (let i = 0; i < count; i++) {
			const e = at + 2 + 12 * i;
			if (e + 12 > this.#v.byteLength) break;
			entries.set(this.short(e), { kind: this.short(e + 2), count: this.long(e + 4), at: e + 8 });
		}
		return entries;
	}

	/** @param {Entry} [e] */
	ascii(e) {
		if (e?.kind !== 2 || e.count < 1 || e.count > 64) return '';
		const at = e.count <= 4 ? e.at : this.long(e.at);
		if (at + e.count > this.#v.byteLength) return '';
		const bytes = new Uint8Array(this.#v.buffer, this.#v.byteOffset, this.#v.byteLength);
		return text(bytes, at, e.count).split('\0')[0].trim();
	}
}

/**
 * moment joins the three EXIF texts of a time. Without an offset it is null: nobody
 * knows in which zone the camera is.
 * @param {string} date such as 2026:01:31 12:00:00
 * @param {string} fraction decimal digits of the second
 * @param {string} offset such as +01:00
 */
export function moment(date, fraction, offset) {
	const d = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(date);
	if (!d) return null;
	const [y, mo, day, h, mi, s] = d.slice(1).map(Number);
	if (y < 1970 || mo < 1 || mo > 12 || day < 1 || day > 31 || h > 23 || mi > 59 || s > 60) return null;
	const ms = /^\d+$/.test(fraction) ? Math.floor(Number(`0.${fraction}`) * 1000) : 0;
	const o = /^([+-])(\d\d):(\d\d)$/.exec(offset);
	if (!o && offset !== 'Z') return null;
	const minutes = o ? (o[1] === '-' ? -1 : 1) * (Number(o[2]) * 60 + Number(o[3])) : 0;
	return Date.UTC(y, mo - 1, day, h, mi, s, ms) - minutes * 60_000;
}

/**
 * @param {Uint8Array} b
 * @param {number} at
 * @param {number} n
 */
function text(b, at, n) {
	return String.fromCharCode(...b.subarray(at, at + n));
}
