/** Every colour, the font and the corners are custom properties; every piece is a part. */
export const STYLE = `
:host {
  display: block;
  color-scheme: light dark;
  font: var(--telltale-font, 0.9375rem/1.5 system-ui, sans-serif);
  color: var(--telltale-text, light-dark(#1b1f24, #e6e9ee));
  --accent: var(--telltale-accent, light-dark(#2456d6, #86a8ff));
  --muted: var(--telltale-muted, light-dark(#586069, #a3adba));
  --line: var(--telltale-border, light-dark(#d5dae1, #3a4350));
  --good: var(--telltale-success, light-dark(#1a7a3c, #63d18c));
  --bad: var(--telltale-danger, light-dark(#c02a2a, #ff8f8a));
  --warn: var(--telltale-warning, light-dark(#8a5a00, #f0bd5b));
}
:host([hidden]) { display: none }
:host([theme=light]) { color-scheme: light }
:host([theme=dark]) { color-scheme: dark }
section {
  gap: 0.75em;
  padding: 1em 1.125em;
  background: var(--telltale-background, light-dark(#fff, #171c23));
  border: 1px solid var(--line);
  border-radius: var(--telltale-radius, 0.625rem);
  overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums;
}
[hidden], [part=actions]:not(:has(button:not([hidden]))) { display: none !important }
p, ol, ul { margin: 0; padding: 0; list-style: none }
p, li { unicode-bidi: plaintext }
section, ul { display: grid; justify-items: start }
[part=header], [part=bar], ol { justify-self: stretch }
[part=header] { display: flex; flex-wrap: wrap; gap: 0.25em 1em; align-items: baseline; justify-content: space-between }
[part=status] { font-weight: 600 }
[part=connection], [part=details], [part=message], span, ul { color: var(--muted) }
[part=bar] { block-size: 0.5em; border-radius: 1em; background: var(--line); overflow: hidden }
[part=fill] { block-size: 100%; border-radius: inherit; background: var(--tone, var(--accent)); transition: inline-size 0.3s ease-out }
[data-unknown] [part=fill] { inline-size: 30%; opacity: 0.6; animation: slide 1.6s ease-in-out infinite alternate }
@keyframes slide { to { margin-inline-start: 70% } }
[data-status=completed] { --tone: var(--good) }
[data-status=failed], [data-status=fake] { --tone: var(--bad) }
[data-status=stalled] { --tone: var(--warn) }
[data-status=cancelled] { --tone: var(--muted) }
section:not([data-status=fake]) [part=status], [part=verdict] { color: var(--tone, inherit) }
[part=verdict] { font-size: 1.25em; font-weight: 650 }
[part=failure] { color: var(--bad) }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15em, 100%), 1fr)); gap: 0.25em 2.5em }
ol li { display: flex; gap: 0.6em; align-items: baseline; color: var(--muted) }
ol li::before { content: "✓"; content: "✓" / ""; flex: none; inline-size: 0.8em; text-align: center; font-weight: 700; color: var(--good) }
[part~=current] { color: inherit; font-weight: 600 }
[part~=current]::before { content: "●"; content: "●" / ""; color: var(--tone, var(--accent)) }
[part~=stopped]::before { content: "✕"; content: "✕" / ""; color: var(--tone, var(--bad)) }
span { margin-inline-start: auto; font-weight: 400; white-space: nowrap }
[part=actions] { display: flex; gap: 0.5em }
button { font: inherit; padding: 0.3em 0.9em; color: inherit; background: none; border: 1px solid var(--line); border-radius: 0.4em; cursor: pointer }
button:hover { border-color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
button[aria-disabled=true] { opacity: 0.6; cursor: default }
[part=announcement] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%) }
@media (prefers-reduced-motion: reduce) {
  [part=fill] { transition: none }
  [data-unknown] [part=fill] { animation: none }
}
@media (forced-colors: active) {
  [part=bar] { border: 1px solid }
  [part=fill] { background: Highlight; forced-color-adjust: none }
}
`;
