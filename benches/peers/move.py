"""Moves all messages of one SQS queue to another: receive, send batch, delete batch. move.py ENDPOINT FROM TO WORKERS"""
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3

endpoint, source, target, workers = sys.argv[1:5]


def work(_):
    sqs = boto3.session.Session().client("sqs", endpoint_url=endpoint)
    while True:
        got = sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        messages = got.get("Messages")
        if not messages:
            return
        entries = [{"Id": m["MessageId"], "MessageBody": m["Body"], "MessageAttributes": m.get("MessageAttributes", {})} for m in messages]
        sent = {s["Id"] for s in sqs.send_message_batch(QueueUrl=target, Entries=entries).get("Successful", [])}
        gone = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages if m["MessageId"] in sent]
        sqs.delete_message_batch(QueueUrl=source, Entries=gone)


with ThreadPoolExecutor(int(workers)) as pool:
    list(pool.map(work, range(int(workers))))
