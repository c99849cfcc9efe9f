// The login page: a form that also works by itself, with words for what went wrong.

import { here, isOpen } from './safety.js';

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function element(id, kind) {
	const found = document.getElementById(id);
	if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} ${id}`);
	return found;
}

const form = element('form', HTMLFormElement);
const password = element('password', HTMLInputElement);
const trouble = element('trouble', HTMLElement);
const enter = element('enter', HTMLButtonElement);
const show = element('show', HTMLButtonElement);
/** @type {ReturnType<typeof setInterval> | undefined} */
let counting;

/** back leads to the page itself, and to the camera that was asked for. */
function back() {
	location.replace(here('./').href + location.hash);
}

/** @param {string} text */
function say(text) {
	clearInterval(counting);
	trouble.textContent = text;
	password.toggleAttribute('aria-invalid', text !== '');
}

/** @param {number} seconds until another try will be looked at */
function wait(seconds) {
	const until = Date.now() + seconds * 1000;
	say(`Too many wrong passwords. Try again in ${seconds} s.`);
	enter.disabled = true;
	counting = setInterval(() => {
		const left = Math.ceil((until - Date.now()) / 1000);
		enter.disabled = left > 0;
		// Said once, then only shown: a screen reader would speak every second.
		enter.textContent = left > 0 ? `Log in (${left} s)` : 'Log in';
		if (left <= 0) say('');
	}, 250);
}

/**
 * @param {Response} answer
 * @param {string} tried password
 */
async function refused(answer, tried) {
	const text = (await answer.text()).slice(0, 300).trim();
	if (answer.status === 429) {
		wait(Math.min(3600, Number(answer.headers.get('Retry-After')) || 10));
		return;
	}
	say(answer.status === 401 ? 'The user name or the password is wrong.' : text || `The answer was ${answer.status}.`);
	// To be typed over; who has gone on typing meanwhile, here or elsewhere, is not interrupted.
	const idle = [document.body, enter, password].some((e) => e === document.activeElement);
	if (idle && password.value === tried) password.select();
}

async function logIn() {
	say('');
	enter.disabled = true;
	const tried = password.value;
	try {
		const body = new URLSearchParams();
		for (const [name, value] of new FormData(form)) body.append(name, String(value));
		const answer = await fetch(here('login').href, { method: 'POST', body, headers: { Accept: 'application/json' } });
		if (answer.ok) {
			back();
			return;
		}
		enter.disabled = false;
		await refused(answer, tried);
	} catch {
		enter.disabled = false;
		say('camqtt cannot be reached. Is it running, and this device on its network?');
	}
}

form.addEventListener('submit', (e) => {
	e.preventDefault();
	if (!enter.disabled) logIn();
});
show.addEventListener('click', () => {
	const hidden = password.type === 'password';
	password.type = hidden ? 'text' : 'password';
	show.textContent = hidden ? 'Hide' : 'Show';
	show.setAttribute('aria-pressed', String(hidden));
});
// There is nothing else to do here; but who was quicker is not interrupted.
if (document.activeElement === document.body) element('user', HTMLInputElement).focus();
element('open', HTMLElement).hidden = !isOpen(location);

// Who came here by a link from another site may be logged in all the same: the
// browser keeps the cookie back on such links.
fetch(here('api/me').href, { headers: { Accept: 'application/json' }, cache: 'no-store' })
	.then((r) => (r.ok ? r.json() : null))
	.then((me) => {
		if (me?.session || (me?.known && !me.canLogIn)) back();
	})
	.catch(() => {}); // the form says it when it is sent
