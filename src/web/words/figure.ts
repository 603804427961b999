/**
 * Writes a number of any size in a few characters, with three decimals at most: `1,204`, `0.125`, `1E308`, `4E-5`. `language` is as `Intl`
 * takes it.
 */
export function figureIn(language: string | undefined): (value: number) => string {
  const usual = new Intl.NumberFormat(language);
  const scientific = new Intl.NumberFormat(language, { notation: "scientific" });
  return (value) => {
    const size = Math.abs(value);
    return (size === 0 || (size >= 0.001 && size < 1e15) ? usual : scientific).format(value);
  };
}
