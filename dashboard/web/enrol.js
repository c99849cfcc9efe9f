// The dialog "Add a camera": a join string that works once and not for long.

import { Box, copy } from './box.js';
import { ask } from './session.js';
import { put } from './text.js';

const QR_MOST = 512 << 10; // of base64

/** Enrol shows one invitation at a time, and forgets it when it is closed. */
export class Enrol extends Box {
	/** @type {ReturnType<typeof setInterval> | undefined} */
	#counting;

	constructor() {
		super('enrol');
		this.find('form').addEventListener('submit', (e) => {
			e.preventDefault();
			this.attempt('invite', (still) => this.#invite(this.value('camera'), still));
		});
		this.find('copy').addEventListener('click', async () => put(this.find('copied'), await copy(this.find('line'))));
		this.find('again').addEventListener('click', () => {
			this.forget();
			this.find('camera').focus();
		});
	}

	/** @override */
	forget() {
		super.forget();
		clearInterval(this.#counting);
		for (const part of ['line', 'left', 'copied']) put(this.find(part), '');
		this.find('made').hidden = true;
		this.find('qr').hidden = true;
		this.find('form').hidden = false;
	}

	/**
	 * @param {string} id
	 * @param {() => boolean} still whether this opening lasts
	 */
	async #invite(id, still) {
		const i = await ask('POST', 'api/enrol', { id });
		if (!still()) return;
		put(this.find('line'), `camqtt node --join ${i.join}`);
		this.find('form').hidden = true;
		this.find('made').hidden = false;
		this.find('copy').focus();
		const until = Date.parse(i.expires);
		const count = () => this.#count(until);
		this.#counting = setInterval(count, 1000);
		count();
		if (i.qr) await this.#draw(i.qr, () => still() && until > Date.now());
	}

	/** @param {number} until ms since the epoch */
	#count(until) {
		const left = Math.ceil((until - Date.now()) / 1000);
		if (left > 0) {
			put(
				this.find('left'),
				`Good for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}, and for one camera.`,
			);
			return;
		}
		clearInterval(this.#counting);
		put(this.find('left'), 'Expired.');
		put(this.find('line'), '');
		this.find('qr').hidden = true;
	}

	/**
	 * draw shows a PNG without a URL for it.
	 * @param {string} base64
	 * @param {() => boolean} still whether it is still to be shown once it is decoded
	 */
	async #draw(base64, still) {
		const canvas = this.find('qr');
		if (base64.length > QR_MOST || !(canvas instanceof HTMLCanvasElement)) return;
		const png = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
		const picture = await createImageBitmap(new Blob([png], { type: 'image/png' }));
		if (still()) {
			canvas.width = picture.width;
			canvas.height = picture.height;
			canvas.getContext('2d')?.drawImage(picture, 0, 0);
			canvas.hidden = false;
		}
		picture.close();
	}
}
