// What the official OpenAI client for Node gets to see: every call's outcome as one JSON object on stdout.
import OpenAI from 'openai';

const { baseURL, key, workflow } = JSON.parse(process.env.COZECHAT_GIVEN);
const client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 });
const messages = [{ role: 'user', content: 'count to 5' }];

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const checks = {
  async models() {
    return (await collect(await client.models.list())).map((model) => model.id);
  },
  async model() {
    return client.models.retrieve(`workflow:${workflow}`);
  },
  async unknownModel() {
    return client.models.retrieve('gpt-5');
  },
  async whole() {
    const { data, request_id } = await client.chat.completions.create({ model: 'gpt-4', messages }).withResponse();
    return { data, request_id };
  },
  async chunks() {
    const began = Date.now();
    const stream_options = { include_usage: true };
    const chunks = await collect(
      await client.chat.completions.create({ model: 'gpt-4', messages, stream: true, stream_options }),
    );
    return { chunks, took: Date.now() - began };
  },
  async helper() {
    const stream = client.chat.completions.stream({ model: 'gpt-4', messages });
    return stream.finalChatCompletion();
  },
  async workflow() {
    return client.chat.completions.create({
      model: 'coze-workflow',
      messages,
      workflow_id: workflow,
      workflow_parameters: { language: 'en' },
    });
  },
  async workflowStream() {
    return collect(
      await client.chat.completions.create({
        model: 'coze-workflow',
        messages,
        stream: true,
        workflow_id: workflow,
      }),
    );
  },
  async twoChoices() {
    return client.chat.completions.create({ model: 'gpt-4', messages, n: 2 });
  },
  async wrongKey() {
    return new OpenAI({ baseURL, apiKey: 'sk-cc-wrong' }).chat.completions.create({ model: 'gpt-4', messages });
  },
  async notThere() {
    return client.post('/nothing', { body: {} });
  },
  async response() {
    return client.responses.create({ model: 'gpt-4', input: 'count to 5' });
  },
  async responseStream() {
    return (await collect(await client.responses.create({ model: 'gpt-4', input: 'count to 5', stream: true }))).map(
      (event) => event.type,
    );
  },
  async responseHelper() {
    return client.responses.stream({ model: 'gpt-4', input: 'count to 5' }).finalResponse();
  },
  async background() {
    let found = await client.responses.create({
      model: 'long',
      input: 'count to 5',
      background: true,
      workflow_parameters: { seconds: 1 },
    });
    const first = found.status;
    while (found.status === 'in_progress') {
      await new Promise((resolve) => setTimeout(resolve, 200));
      found = await client.responses.retrieve(found.id);
    }
    return { first, found, text: found.output[0].content[0].text };
  },
};

const outcomes = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    outcomes[name] = { value: await check() };
  } catch (error) {
    const { status, code, param, type, message, requestID } = error;
    outcomes[name] = { error: { name: error.constructor.name, status, code, param, type, message, requestID } };
  }
}
console.log(JSON.stringify(outcomes));
