// How the page looks: a mode and a few colours, as custom properties. Values are judged before they
// are set; what is no colour is passed over.

const colours = { accent: '--accent', background: '--card', text: '--text' };

/** Red, green and blue, 0 to 255, of any CSS colour. */
function toRgb(colour) {
	const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

	probe.fillStyle = colour;
	probe.fillRect(0, 0, 1, 1);
	return probe.getImageData(0, 0, 1, 1).data;
}

function luminance(colour) {
	const [r, g, b] = [...toRgb(colour)].map((byte) => {
		const part = byte / 255;
		return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever is read better on it. */
const readableOn = (colour) => (luminance(colour) > 0.179 ? '#000' : '#fff');

function setColours(style, theme) {
	for (const [name, property] of Object.entries(colours)) {
		const value = theme[name];
		if (typeof value !== 'string' || !CSS.supports('color', value)) continue;
		style.setProperty(property, value);
		if (name === 'accent') style.setProperty('--on-accent', readableOn(value));
	}
}

function setShape(style, theme) {
	const radius = Number.parseInt(theme.radius, 10);

	if (radius >= 0 && radius <= 32) style.setProperty('--radius', `${radius}px`);
	if (typeof theme.font === 'string' && /^[\w\s,'"-]{1,200}$/.test(theme.font))
		style.setProperty('--font', theme.font);
}

const isDark = matchMedia('(prefers-color-scheme: dark)');
let current = {};

function apply() {
	const root = document.documentElement;
	const mode = ['light', 'dark'].includes(current.mode) ? current.mode
		: isDark.matches ? 'dark' : 'light';

	for (const property of [...Object.values(colours), '--on-accent', '--radius', '--font'])
		root.style.removeProperty(property);
	root.dataset.mode = mode;
	setColours(root.style, current);
	setColours(root.style, current[mode] ?? {});
	setShape(root.style, current);
}

isDark.addEventListener('change', apply);

/** {mode, accent, background, text, radius, font, dark: {…}, light: {…}}; later ones win. */
export function setTheme(...themes) {
	current = Object.assign({}, ...themes.filter((theme) => theme && typeof theme === 'object'));
	apply();
}
