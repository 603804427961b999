/** Scripts are imported as text, so that they are part of the compiled executable. */
declare module "*.lua" {
  const text: string;
  export default text;
}
