// What the tile and the full view have in common: one camera's picture, its
// state in words, and the buttons.

import { look } from './exif.js';
import { Meter } from './meter.js';
import { Painter } from './painter.js';
import { bytes, perSecond, put, span, stamp } from './text.js';
import { view } from './view.js';

const RING = 240; // latencies kept
const SHAPE_MIN = 4 / 3;
const NOTE = 10_000; // ms a note stays
const LABEL_EVERY = 10_000; // ms between changes of what a screen reader finds on the picture

/**
 * @typedef {import('./feed.js').Picture} Picture
 * @typedef {import('./feed.js').Feed} Feed
 */

/**
 * Panel is a custom element's base. It dispatches `state` when the state's name
 * differs. For measurements an element carries data-id, data-state and
 * data-frames (live pictures drawn), and latencies().
 */
export class Panel extends HTMLElement {
	/** @type {Feed | null} */
	feed = null;
	/** @type {Painter | null} */
	#painter = null;
	#visible = false;
	#meter = new Meter();
	/** @type {{captured: number, drawn: number}[]} */
	#latencies = [];
	#frames = 0;
	#labelled = 0;
	#blob = '';
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	#fade;
	#changed = () => this.refresh();
	#dropped = () => this.#empty();
	#box = { width: 0, height: 0 };
	#watcher = {
		wish: () => this.wish(),
		picture: (/** @type {Picture} */ p) => this.#painter?.show(p),
	};

	/**
	 * @param {string} name of a data-part
	 * @returns {HTMLElement}
	 */
	find(name) {
		const found = this.querySelector(`[data-part="${name}"]`);
		if (!(found instanceof HTMLElement)) throw new Error(`the page has no part ${name}`);
		return found;
	}

	/** build fills the element from a template of the page. @param {string} template */
	build(template) {
		const source = document.getElementById(template);
		if (!(source instanceof HTMLTemplateElement)) throw new Error(`the page has no template ${template}`);
		this.replaceChildren(source.content.cloneNode(true));
		const canvas = this.find('canvas');
		if (!(canvas instanceof HTMLCanvasElement)) throw new Error('the part canvas is none');
		this.#painter = new Painter(canvas, {
			drawn: (p) => this.#drawn(p),
			replaced: () => this.feed?.replaced(),
			broken: () => this.feed?.broken(),
		});
		new ResizeObserver(() => this.#measure()).observe(this.find('view'));
		for (const action of ['snap', 'start', 'stop']) {
			this.find(action).addEventListener('click', () => this.act(action));
		}
	}

	/** show changes the camera. @param {Feed | null} feed */
	show(feed) {
		if (feed === this.feed) return;
		this.visible = false;
		this.feed?.removeEventListener('change', this.#changed);
		this.feed?.kept.removeEventListener('dropped', this.#dropped);
		this.feed = feed;
		this.#frames = 0;
		this.#latencies = [];
		this.#say('');
		this.#empty();
		if (!feed) return;
		feed.addEventListener('change', this.#changed);
		feed.kept.addEventListener('dropped', this.#dropped);
		this.dataset.id = feed.camera.id;
		this.dataset.frames = '0';
		this.refresh();
	}

	/** empty leaves nothing of a picture: not on the canvas, not in the link. */
	#empty() {
		this.#painter?.clear();
		this.#offer(null);
		this.#labelled = 0;
	}

	/** What this panel wants of its camera. @returns {import('./feed.js').Wish} */
	wish() {
		return { fps: 5, width: 0 };
	}

	/** Device pixels there are for the picture. */
	get box() {
		return this.#box;
	}

	/** Whether it is visible now. @param {boolean} yes */
	set visible(yes) {
		if (yes === this.#visible || !this.feed) return;
		this.#visible = yes;
		if (this.#painter) this.#painter.visible = yes;
		this.#meter.reset();
		if (!yes) {
			this.feed.unwatch(this.#watcher);
			return;
		}
		this.#measure();
		this.feed.watch(this.#watcher);
		// Another panel or an earlier look left a picture: better than an empty frame.
		if (this.feed.last) this.#painter?.show({ ...this.feed.last, live: false });
	}

	get visible() {
		return this.#visible;
	}

	/** latencies lists capture and drawing of the newest pictures that carry a capture time, in ms since the epoch. */
	latencies() {
		return [...this.#latencies];
	}

	#measure() {
		const { clientWidth, clientHeight } = this.find('view');
		const width = Math.round(clientWidth * devicePixelRatio);
		const height = Math.round(clientHeight * devicePixelRatio);
		const wider = width !== this.#box.width;
		this.#box = { width, height };
		if (this.#painter) this.#painter.box = this.#box;
		if (wider && this.#visible) this.feed?.update();
	}

	/** @param {Picture} p */
	#drawn(p) {
		const { feed } = this;
		if (!feed) return;
		const now = Date.now();
		const fresh = feed.last?.bytes !== p.bytes;
		if (fresh || p.live) feed.drawn(p);
		const { orientation, width, height, captured } = p.look;
		const [w, h] = orientation > 4 ? [height, width] : [width, height];
		this.#shape(w, h);
		if (!p.live) return;
		this.#meter.add(now);
		this.dataset.frames = String(++this.#frames);
		if (captured !== null) this.#latencies.push({ captured, drawn: now });
		if (this.#latencies.length > RING) this.#latencies.shift();
		if (this.dataset.state !== 'live') this.refresh();
	}

	/**
	 * @param {number} width
	 * @param {number} height
	 */
	#shape(width, height) {
		// A tall picture gets bars at its sides: one tile must not push the others apart.
		const ratio = width > 0 && height > 0 ? `${Math.max(width, height * SHAPE_MIN)} / ${height}` : '';
		if (this.style.getPropertyValue('--shape') !== ratio) this.style.setProperty('--shape', ratio);
	}

	/** refresh brings the words up to date. @param {number} [now] */
	refresh(now = Date.now()) {
		const { feed } = this;
		if (!feed) return;
		const { camera } = feed;
		const { name, text } = view(feed, now);
		const age = feed.age(now);
		put(this.find('name'), camera.name);
		put(this.find('id'), camera.name === camera.id ? '' : camera.id);
		put(this.find('state'), text);
		put(this.find('age'), age === null ? '' : `${span(age)} ago`);
		put(this.find('rate'), this.#rate(now));
		const state = camera.state;
		if (!feed.last && state) this.#shape(state.width, state.height);
		if (this.dataset.state !== name) {
			this.dataset.state = name;
			this.dispatchEvent(new CustomEvent('state', { bubbles: true, detail: { name: camera.name, text } }));
		}
		this.#label(name, text, age, now);
	}

	/**
	 * @param {string} name of the state
	 * @param {string} text
	 * @param {number | null} age
	 * @param {number} now
	 */
	#label(name, text, age, now) {
		if (now - this.#labelled < LABEL_EVERY) return;
		const settled = name !== 'idle' && name !== 'connecting'; // the first picture need not wait
		if (settled) this.#labelled = now;
		const old = settled && age !== null ? `, picture ${span(age)} old` : '';
		const label = `${this.feed?.camera.name}, ${text}${old}`;
		const canvas = this.find('canvas');
		if (canvas.getAttribute('aria-label') !== label) canvas.setAttribute('aria-label', label);
	}

	/** @param {number} now */
	#rate(now) {
		const { feed } = this;
		if (!feed || feed.since === 0) return '';
		const words = [];
		const rate = this.#meter.perSecond(now);
		if (rate > 0) words.push(perSecond(rate), `${bytes(feed.meter.perSecond(now))}/s`);
		if (feed.counts.broken > 0) words.push(`${feed.counts.broken} broken`);
		return words.join(' · ');
	}

	/** act does what a button says. @param {string} action */
	async act(action) {
		const { feed } = this;
		if (!feed) return;
		const failed = (/** @type {unknown} */ e) => this.#say(e instanceof Error ? e.message : String(e), 'bad');
		try {
			this.#say(action === 'snap' ? 'Taking a picture…' : '…', 'busy');
			if (action === 'snap') {
				await this.#snap(feed);
			} else if (action === 'start') {
				await feed.start();
				this.#say('Streams until Stop, watched or not', 'good');
			} else if (action === 'stop') {
				await feed.stop();
				this.#say('Stopped for everybody', 'good');
			}
		} catch (e) {
			if (this.feed === feed) failed(e);
		}
	}

	/** @param {Feed} feed */
	async #snap(feed) {
		const taken = await feed.snap();
		if (this.feed !== feed || feed.kept.barred) return;
		this.#say(`Took ${Math.round(taken.tookMS)} ms, ${bytes(taken.bytes)}`, 'good');
		if (!taken.jpeg) return;
		const at = look(taken.jpeg)?.captured ?? Date.now();
		this.#offer(taken.jpeg, `${feed.camera.id}-${stamp(at)}.jpg`);
	}

	/**
	 * offer puts a picture up for download, or takes the last one down.
	 * @param {Uint8Array<ArrayBuffer> | null} jpeg
	 * @param {string} [name] of the file
	 */
	#offer(jpeg, name = '') {
		if (this.#blob) URL.revokeObjectURL(this.#blob);
		this.#blob = jpeg ? URL.createObjectURL(new Blob([jpeg], { type: 'image/jpeg' })) : '';
		const save = this.find('save');
		if (!jpeg && save === document.activeElement) this.find('snap').focus(); // or the next key is lost
		save.hidden = !jpeg;
		save.setAttribute('href', this.#blob);
		save.setAttribute('download', name);
	}

	/**
	 * say tells for a while how the last button went.
	 * @param {string} text
	 * @param {'' | 'busy' | 'good' | 'bad'} [tone]
	 */
	#say(text, tone = '') {
		const note = this.find('note');
		put(note, text);
		note.dataset.tone = tone;
		clearTimeout(this.#fade);
		if (text && tone !== 'busy') this.#fade = setTimeout(() => this.#say(''), NOTE);
	}
}
