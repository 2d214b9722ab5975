// What the JavaScript SDK gets to see: every call's outcome as one JSON object on stdout.
import { createReadStream } from 'node:fs';

import { CozeAPI, getJWTToken } from '@coze/api';

const given = JSON.parse(process.env.COZECHAT_GIVEN);
const { baseURL, ids } = given;

async function tokenFor(sessionName) {
  const token = await getJWTToken({
    baseURL,
    appId: given.clientId,
    aud: new URL(baseURL).host,
    keyid: given.publicKeyId,
    privateKey: given.privateKey,
    sessionName,
  });
  return token;
}

async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

const question = (content) => [{ role: 'user', content, content_type: 'text' }];

const checks = {
  async token() {
    return tokenFor('js-token');
  },
  async wrongKeyId() {
    return getJWTToken({
      baseURL,
      appId: given.clientId,
      aud: new URL(baseURL).host,
      keyid: 'nobody',
      privateKey: given.privateKey,
    });
  },
  async conversations(client) {
    const made = await client.conversations.create({ bot_id: ids.bot, meta_data: { k: 'v' } });
    const bare = await client.conversations.create({});
    const listed = await client.conversations.list({ bot_id: ids.bot, page_num: 1, page_size: 10 });
    const cleared = await client.conversations.clear(made.id);
    const found = await client.conversations.retrieve(made.id);
    return { made, bare, listed, cleared, found };
  },
  async workflowChat(client) {
    const conversation = await client.conversations.create({});
    return collect(
      client.workflows.chat.stream({
        workflow_id: ids.workflow,
        app_id: ids.app,
        conversation_id: conversation.id,
        additional_messages: question('count to 3'),
      }),
    );
  },
  async refusedWorkflowChat(client) {
    return collect(
      client.workflows.chat.stream({
        workflow_id: '1',
        app_id: ids.app,
        additional_messages: question('hi'),
      }),
    );
  },
  async botStream(client) {
    return collect(
      client.chat.stream({ bot_id: ids.bot, user_id: 'u', additional_messages: question('count to 3') }),
    );
  },
  async createAndPoll(client) {
    return client.chat.createAndPoll({ bot_id: ids.bot, additional_messages: question('count to 3') });
  },
  async chatByHand(client) {
    const chat = await client.chat.create({
      bot_id: ids.bot,
      user_id: 'u',
      additional_messages: question('slowly count to 100'),
    });
    const found = await client.chat.retrieve(chat.conversation_id, chat.id);
    const canceled = await client.chat.cancel(chat.conversation_id, chat.id);
    return { chat, found, canceled };
  },
  async picture(client) {
    const file = await client.files.upload({ file: createReadStream('package.json') });
    const content = [
      { type: 'text', text: 'what is this?' },
      { type: 'image', file_id: file.id },
    ];
    const events = await collect(
      client.chat.stream({
        bot_id: ids.bot,
        user_id: 'u',
        additional_messages: [{ role: 'user', content, content_type: 'object_string' }],
      }),
    );
    return { file, last: events.at(-2), found: await client.files.retrieve(file.id) };
  },
  async run(client) {
    return client.workflows.runs.create({ workflow_id: ids.run, parameters: { input: 'count to 3' } });
  },
  async runLater(client) {
    const begun = await client.workflows.runs.create({
      workflow_id: ids.run,
      parameters: { input: 'count to 3' },
      is_async: true,
    });
    let history;
    for (let tries = 0; tries < 200; tries += 1) {
      history = await client.workflows.runs.history(ids.run, begun.execute_id);
      if (history[0].execute_status !== 'Running') break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { begun, history };
  },
  async runStream(client) {
    return collect(
      client.workflows.runs.stream({ workflow_id: ids.run, parameters: { input: 'count to 3' } }),
    );
  },
  async resumed(client) {
    const first = await collect(
      client.workflows.runs.stream({ workflow_id: ids.question, parameters: { input: 'hi' } }),
    );
    const { event_id: eventId, type } = first.at(-1).data.interrupt_data;
    const rest = await collect(
      client.workflows.runs.resume({
        workflow_id: ids.question,
        event_id: eventId,
        resume_data: 'tea',
        interrupt_type: type,
      }),
    );
    return { first, rest };
  },
  async deadToken() {
    const client = new CozeAPI({ token: 'czs_garbage', baseURL });
    return client.conversations.create({});
  },
  async foreign(client) {
    const bob = new CozeAPI({ token: (await tokenFor('js-bob')).access_token, baseURL });
    const mine = await client.conversations.create({});
    return bob.conversations.retrieve(mine.id);
  },
};

const client = new CozeAPI({ token: (await tokenFor('js')).access_token, baseURL });
const outcomes = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    outcomes[name] = { value: await check(client) };
  } catch (error) {
    outcomes[name] = { error: { name: error.constructor.name, code: error.code, message: error.message } };
  }
}
process.stdout.write(JSON.stringify(outcomes));
