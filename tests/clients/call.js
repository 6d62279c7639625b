// One call of a client by others, as a program of its users would make it: nothing is patched.
//   node call.js CLIENT METHOD ARGUMENTS-AS-JSON     what it resolved to, as JSON, on one line

const [client, method, args] = process.argv.slice(2);
const { SENS_ACCESS_KEY, SENS_SECRET_KEY, SENS_SERVICE_ID, SENS_SENDER } = process.env;

const makers = {
  "node-sens": ({ NCPClient }) =>
    new NCPClient({
      phoneNumber: SENS_SENDER,
      serviceId: SENS_SERVICE_ID,
      secretKey: SENS_SECRET_KEY,
      accessKey: SENS_ACCESS_KEY,
    }),
  "ncp-client": ({ SENS }) =>
    new SENS().smsService(
      { accessKey: SENS_ACCESS_KEY, secretKey: SENS_SECRET_KEY },
      { phone: SENS_SENDER, serviceId: SENS_SERVICE_ID },
    ),
};

makers[client](require(client))
  [method](...JSON.parse(args))
  .then((result) => console.log(JSON.stringify(result)));
