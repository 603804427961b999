/** A file that the build embeds in an executable as text. */
declare module "*/dist/client.js" {
  const text: string;
  export default text;
}
