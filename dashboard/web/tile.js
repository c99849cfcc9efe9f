// <cam-tile>: one camera in the grid.

import { Panel } from './panel.js';

const FPS = 5;
const STILL_FPS = 0.2; // for people who asked their system for less motion
const ENOUGH = 0.75; // of the pixels there are: a tile is a glance, not a look
const SHARP = 1.5; // device pixels per CSS pixel beyond which a tile gains nothing

/** Tile leases small and slow pictures while it is in view. */
export class Tile extends Panel {
	#inView = false;
	#covered = false;
	#playing = false;
	#calm = matchMedia('(prefers-reduced-motion: reduce)');
	#observer = new IntersectionObserver((entries) => {
		this.#inView = entries.at(-1)?.isIntersecting === true;
		this.#look();
	});
	#calmChanged = () => this.#motion();

	/** @param {import('./feed.js').Feed} feed */
	open(feed) {
		this.build('tile');
		this.find('play').addEventListener('click', () => {
			this.#playing = !this.#playing;
			this.#motion();
		});
		this.find('view').setAttribute('href', `#${feed.camera.id}`);
		this.show(feed);
		this.#motion();
	}

	connectedCallback() {
		this.#observer.observe(this);
		this.#calm.addEventListener('change', this.#calmChanged);
	}

	disconnectedCallback() {
		this.#observer.disconnect();
		this.#calm.removeEventListener('change', this.#calmChanged);
		this.#inView = false;
		this.#look();
	}

	/** Whether the full view lies over the grid. @param {boolean} yes */
	set covered(yes) {
		this.#covered = yes;
		this.#look();
	}

	/** @override */
	wish() {
		const fps = this.#calm.matches && !this.#playing ? STILL_FPS : FPS;
		const width = (this.box.width * ENOUGH * Math.min(SHARP, devicePixelRatio)) / devicePixelRatio;
		return { fps, width: Math.max(1, Math.round(width)) };
	}

	#look() {
		this.visible = this.#inView && !this.#covered;
	}

	#motion() {
		const play = this.find('play');
		play.hidden = !this.#calm.matches;
		play.textContent = this.#playing ? 'Pause' : 'Play';
		this.feed?.update();
	}
}
