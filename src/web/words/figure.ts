/** A number of any size in a few characters, with three decimals at most: `1,204`, `0.125`, `1E308`, `4E-5`. `language` is as `Intl` takes it. */
export function figure(value: number, language: string | undefined): string {
  const size = Math.abs(value);
  const isUsual = size === 0 || (size >= 0.001 && size < 1e15);
  const notation = isUsual ? "standard" : "scientific";
  return value.toLocaleString(language, { notation, maximumFractionDigits: 3 });
}
