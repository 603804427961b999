/** When an event is published and when its message arrives, counted in steps of what it races with. */
export interface Instants {
  readonly publishedBefore: number;
  readonly deliveredBefore: number;
}

/**
 * Every way in which `count` events can fall among `steps` steps: each published before one of them or after the
 * last, each delivered then or later, both in order.
 */
export function everyWay(count: number, steps: number): Instants[][] {
  if (count === 0) return [[]];
  return everyWay(count - 1, steps).flatMap((earlier) => {
    const last = earlier.at(-1) ?? { publishedBefore: 0, deliveredBefore: 0 };
    const ways: Instants[][] = [];
    for (let publishedBefore = last.publishedBefore; publishedBefore <= steps; publishedBefore++) {
      const from = Math.max(publishedBefore, last.deliveredBefore);
      for (let deliveredBefore = from; deliveredBefore <= steps + 1; deliveredBefore++)
        ways.push([...earlier, { publishedBefore, deliveredBefore }]);
    }
    return ways;
  });
}
