// zarrita, on which the Zarr viewers in JavaScript are built. Writes raw samples; the tool judges them.
import * as fs from "node:fs";
import * as zarr from "zarrita";
import FileSystemStore from "@zarrita/storage/fs";

const [folder, count] = process.argv.slice(2);
const names = [...Array(Number(count)).keys()].map(String).concat("base/0", "base/1");
const rows = [];
for (const name of names) {
  const way = `\`.rrip.zarr\`, array \`${name}\``;
  try {
    const location = zarr.root(new FileSystemStore(`${folder}/slide.rrip.zarr`)).resolve(name);
    const array = await zarr.open.v3(location, { kind: "array" });
    const { data, shape } = await zarr.get(array);
    const file = `${folder}/zarrita-${name.replace("/", "-")}.raw`;
    fs.writeFileSync(file, data);
    rows.push([way, { file, shape }]);
  } catch (error) {
    rows.push([way, `refused: ${error.message.split("\n")[0]}`]);
  }
}
const version = JSON.parse(fs.readFileSync("node_modules/zarrita/package.json")).version;
console.log(JSON.stringify({ versions: { zarrita: version }, rows }));
