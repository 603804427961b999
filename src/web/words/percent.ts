/** `0.943` becomes `94 %`, with one digit `94.3 %`. */
export function percent(fraction: number, digits = 0): string {
  return `${(fraction * 100).toFixed(digits)} %`;
}
