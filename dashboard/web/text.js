// Words and numbers for people. Everything that came over MQTT passes clean
// before it is shown.

/**
 * clean takes out what could disturb a line of text (control and bidirectional
 * characters, line breaks) and cuts it.
 * @param {unknown} value
 * @param {number} [most] characters
 */
export function clean(value, most = 64) {
	if (typeof value !== 'string') return '';
	const plain = value
		.slice(0, 8 * most)
		.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
		.trim();
	const letters = [...plain];
	return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : plain;
}

/** @param {number} n bytes */
export function bytes(n) {
	if (n < 1000) return `${Math.round(n)} B`;
	if (n < 999_500) return `${n < 9950 ? (n / 1000).toFixed(1) : Math.round(n / 1000)} kB`;
	return `${(n / 1e6).toFixed(1)} MB`;
}

/** @param {number} ms */
export function span(ms) {
	const s = ms / 1000;
	if (s < 9.95) return `${Math.max(0, s).toFixed(1)} s`;
	if (s < 119.5) return `${Math.round(s)} s`;
	if (s < 7170) return `${Math.round(s / 60)} min`;
	if (s < 172_000) return `${Math.round(s / 3600)} h`;
	return `${Math.round(s / 86_400)} days`;
}

/** @param {number} n pictures per second */
export function perSecond(n) {
	return `${n < 9.95 && Math.abs(n - Math.round(n)) >= 0.05 ? n.toFixed(1) : Math.round(n)} fps`;
}

/**
 * clock is a time of day, with the date when that is not today.
 * @param {number} at ms since the epoch
 * @param {number} [now]
 */
export function clock(at, now = Date.now()) {
	const t = new Date(at);
	const time = t.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
	return t.toDateString() === new Date(now).toDateString() ? time : `${t.toLocaleDateString()} ${time}`;
}

/**
 * stamp is a local time fit for a file name.
 * @param {number} at ms since the epoch
 */
export function stamp(at) {
	const t = new Date(at);
	const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
	const day = `${t.getFullYear()}${two(t.getMonth() + 1)}${two(t.getDate())}`;
	return `${day}-${two(t.getHours())}${two(t.getMinutes())}${two(t.getSeconds())}`;
}

/**
 * put writes text, and only when it differs: the page stays quiet.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function put(element, text) {
	if (element.textContent !== text) element.textContent = text;
}
