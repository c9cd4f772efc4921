//! The same in single requests: what JSON costs beside frames.

use data_encoding::HEXLOWER;
use hob_tests::http::{Http, submit};
use hob_tests::people::envelope;

use crate::load::{Reader, all, cost, readers, runtime};
use crate::{box_for_load, figure};

const SENDERS: usize = 50;
const EACH: usize = 400;

pub fn submitted() {
    for bare in [false, true] {
        let hob = box_for_load();
        runtime().block_on(async {
            let people = readers(&hob, SENDERS).await;
            let mut writing = Vec::new();
            for Reader { token, .. } in people {
                let mut http = Http::connect(hob.address).await;
                writing.push(async move {
                    let hex = HEXLOWER.encode(token.expose());
                    let headers = [("Content-Type", "application/octet-stream"), ("Hob-Delivery-Token", hex.as_str())];
                    for _ in 0..EACH {
                        let sealed = envelope(2048);
                        let reply = if bare {
                            http.send("POST", "/v1/envelopes?ttl_s=600", &headers, sealed.bytes()).await
                        } else {
                            http.call("POST", "/v1/envelopes", None, Some(&submit(&token, &sealed))).await
                        };
                        assert_eq!(reply.status, 200);
                    }
                });
            }
            let cpu = cost(&hob, async move {
                all(writing, SENDERS).await;
            })
            .await;
            let how = if bare { "as they are" } else { "in JSON" };
            let name = format!("kept for absent owners, {SENDERS} senders, {how}, one by one");
            figure(&name, (SENDERS * EACH) as f64 / cpu, "envelopes / CPU-s");
        });
    }
}
