// <cam-focus>: one camera as large as the window, in a dialog.

import { Panel } from './panel.js';
import { bytes, clock, put, span } from './text.js';

const FPS = 15;
const SWIPE = 60; // CSS pixels

/** Focus dispatches `leave` when it closes and `step` with -1 or 1 as detail for a neighbour. */
export class Focus extends Panel {
	#dialog = document.createElement('dialog');
	#swipe = Number.NaN;

	connectedCallback() {
		if (this.#dialog.isConnected) return;
		this.build('focus');
		const [content] = this.children;
		this.#dialog.append(content);
		this.append(this.#dialog);
		this.#dialog.setAttribute('aria-labelledby', 'focus-name');
		this.#dialog.addEventListener('close', () => this.#left());
		this.#dialog.addEventListener('keydown', (e) => this.#key(e));
		this.find('close').addEventListener('click', () => this.#dialog.close());
		this.find('full').addEventListener('click', () => this.#full());
		this.find('before').addEventListener('click', () => this.#step(-1));
		this.find('after').addEventListener('click', () => this.#step(1));
		const view = this.find('view');
		view.addEventListener('pointerdown', (e) => {
			this.#swipe = e.clientX;
		});
		view.addEventListener('pointerup', (e) => {
			const moved = e.clientX - this.#swipe;
			this.#swipe = Number.NaN;
			if (Math.abs(moved) > SWIPE) this.#step(moved < 0 ? 1 : -1);
		});
	}

	/** @param {import('./feed.js').Feed} feed */
	open(feed) {
		this.show(feed);
		if (!this.#dialog.open) this.#dialog.showModal();
		this.visible = true;
		this.refresh();
	}

	close() {
		if (this.#dialog.open) this.#dialog.close();
	}

	get isOpen() {
		return this.#dialog.open;
	}

	/** @override */
	wish() {
		return { fps: FPS, width: 0 };
	}

	/**
	 * @override
	 * @param {number} [now]
	 */
	refresh(now = Date.now()) {
		super.refresh(now);
		if (!this.feed) return;
		const { camera, counts, last, clock: theirs } = this.feed;
		const facts = [];
		if (last) facts.push(`${last.look.width} × ${last.look.height}, ${bytes(last.bytes.length)}`);
		if (camera.state?.viewers)
			facts.push(`${camera.state.viewers} ${camera.state.viewers === 1 ? 'viewer' : 'viewers'}`);
		if (camera.info?.model) facts.push(camera.info.model);
		if (camera.info?.host) facts.push(`on ${camera.info.host}`);
		if (camera.stats?.temperature != null) facts.push(`${Math.round(camera.stats.temperature)} °C`);
		if (counts.replaced > 0) facts.push(`${counts.replaced} replaced here`);
		if (theirs.difference !== 0) facts.push(`clock differs by ${span(Math.abs(theirs.difference))}`);
		const { event } = camera;
		if (camera.state?.warning) facts.unshift(camera.state.warning); // what is not as asked, before all else
		if (event) facts.push(`${event.kind}${event.at === null ? '' : ` ${clock(event.at, now)}`}`);
		put(this.find('facts'), facts.join(' · '));
	}

	#left() {
		if (this.#dialog.open) return; // again, before this was told
		this.visible = false;
		this.show(null);
		this.dispatchEvent(new Event('leave'));
	}

	/** @param {number} by */
	#step(by) {
		this.dispatchEvent(new CustomEvent('step', { detail: by }));
	}

	/** @param {KeyboardEvent} e */
	#key(e) {
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		if (e.key === 'ArrowLeft') this.#step(-1);
		else if (e.key === 'ArrowRight') this.#step(1);
		else if (e.key === 's') this.act('snap');
		else if (e.key === 'f') this.#full();
		else return;
		e.preventDefault();
	}

	#full() {
		if (document.fullscreenElement) document.exitFullscreen();
		else
			this.find('frame')
				.requestFullscreen?.()
				.catch(() => {}); // a browser may say no; the view stays as it is
	}
}
