// From CommonJS, with settings that are read without waiting.

const { CairnDB } = require('cairndb');

async function main() {
  const db = await CairnDB.open('./data');

  // Written, but not awaited: a read sees every earlier write of its instance.
  const written = db.write('settings', 'theme', { dark: true, size: 12 });
  console.log(db.getSync('settings', 'theme'));
  //> { dark: true, size: 12 }
  await written;

  console.log(db.getSync('settings', 'language') ?? 'en');
  //> en
  console.log(db.listTables());
  //> [ 'settings' ]

  await db.close();
}

main();
